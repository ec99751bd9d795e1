"""Write JSON files, indented and atomically."""

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
