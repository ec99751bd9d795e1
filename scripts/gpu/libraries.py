"""Libraries that the machine lacks, from the wheels of a pack."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import zipfile
from pathlib import Path

# What the package's networks and operators import besides torch, numpy, safetensors, numba and triton.
NEEDED = ("pydantic", "pydantic-core", "annotated-types", "typing-inspection", "typing-extensions")


def add_missing_libraries(pack: Path | None) -> None:
    """Unpack the wheels of the pack and make them importable, if pydantic is not installed."""
    if importlib.util.find_spec("pydantic") is not None:
        return
    wheels = sorted(pack.glob("wheels/*.whl")) if pack else []
    if not wheels:
        raise SystemExit(
            "error: found no pydantic; expected it installed, or wheels in the pack. "
            "Make a pack with scripts/gpu_trial.py pack, and pass it with --train."
        )
    folder = tempfile.mkdtemp(prefix="gpu_trial_")
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    sys.path.append(folder)
