"""Write JSON files, indented and atomically, and read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rma_mamba.files import replace_file


def write_json_file(path: Path, content: dict[str, Any], what: str) -> None:
    """Write a JSON object; `what` names the file in error messages.

    Raises:
        ScanError: The file cannot be written.
    """
    replace_file(path, (json.dumps(content, indent=2) + "\n").encode(), what)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty if there is none, or if it is corrupt."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
