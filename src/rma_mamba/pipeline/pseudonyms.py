"""Pseudonyms of studies and patients: the same for the same text, and meaningless without the secret key."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from rma_mamba.errors import ScanError

_KEY_BYTES = 32
_DIGITS = 20


class Pseudonyms:
    """Pseudonyms with the key in a file, which is created on first use with access for the owner only.

    Args:
        path: The file; one that does not hold a key is replaced.

    Raises:
        ScanError: The file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._key = _read(path) or _made(path)
        except OSError as error:
            raise ScanError(
                f"the key of the pseudonyms cannot be read or written ({error.strerror or 'input/output error'}); "
                "expected a file of this user in a writable folder. Check the permissions."
            ) from error

    def of(self, *parts: str) -> str:
        """The pseudonym of a text, such as a UID: 20 hexadecimal digits."""
        message = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()[:_DIGITS]


def _read(path: Path) -> bytes | None:
    """The key; None if there is none. A damaged file, whose key could be guessed, is removed."""
    with suppress(FileNotFoundError):
        key = path.read_bytes()
        if len(key) == _KEY_BYTES:
            return key
        path.unlink()
    return None


def _made(path: Path) -> bytes:
    """Make a key, unless another process has just done so."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path.read_bytes()
