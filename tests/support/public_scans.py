"""The public research scans, where they lie beside the project."""

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

needs_public_scans = pytest.mark.skipif(
    not DATA.is_dir(), reason="the public research scans do not lie beside this project"
)
