"""JSON files as the pipeline writes them: indented, and complete or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rma_mamba.files import replace_file


def write_json_file(path: Path, content: dict[str, Any], what: str) -> None:
    """Write a JSON object; `what` is named in the error.

    Raises:
        ScanError: The file cannot be written.
    """
    replace_file(path, (json.dumps(content, indent=2) + "\n").encode(), what)
