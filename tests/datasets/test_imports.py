"""Reading, auditing and preparing datasets works without the libraries that only training needs."""

import subprocess
import sys

import pytest

TRAINING_LIBRARIES = ("lightning", "matplotlib", "monai", "tensorboard")


def imported_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["audit", "cases", "config", "data_manifest", "layouts", "phantom", "prepare"]
)
def test_no_training_library_is_imported(module: str) -> None:
    found = imported_by(f"import rma_mamba.datasets.{module}")
    assert "rma_mamba" in found
    assert found.isdisjoint(TRAINING_LIBRARIES)


def test_the_check_detects_an_imported_library() -> None:
    assert "monai" in imported_by("import sys; sys.modules['monai'] = sys")
