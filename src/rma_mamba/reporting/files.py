"""Report files that appear complete or not at all."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from rma_mamba.errors import ScanError


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` in one step; missing parent folders are made.

    Raises:
        ScanError: The file cannot be written; an older file at `path` is untouched.
    """
    temporary = path.parent / f".rma-mamba-{secrets.token_hex(8)}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
        temporary.replace(path)
    except OSError as error:
        raise ScanError(
            f"the report cannot be written ({error.strerror or 'input/output error'}); expected a "
            "writable folder with enough space. Choose another output path or free some space."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
