"""Settings of all tests."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Time limits per example would make tests depend on what else the machine is doing.
settings.register_profile("project", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("project")

# Triton's kernels run in its interpreter, which has to be said before anything imports Triton.
os.environ["TRITON_INTERPRET"] = "1"

# Tests leave the user's own files alone. Processes that they start share the folder.
_HOME = tempfile.TemporaryDirectory(prefix="rma-mamba-tests-")
os.environ["RMA_MAMBA_HOME"] = _HOME.name


@pytest.fixture(autouse=True)
def subnormal_numbers() -> None:
    """Subnormal numbers: a library that was compiled with fast-math turns them off when it is loaded."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@pytest.fixture(scope="module")
def tasks_are_found() -> Iterator[None]:
    """Processes that a test starts can import the modules in tests/support."""
    support = str(Path(__file__).with_name("support"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", support, prepend=os.pathsep)
        yield
