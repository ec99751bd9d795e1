"""Loading recipes, scoring and planning benchmarks need no library of the extra `train`."""

import subprocess
import sys

import pytest

TRAINING_ONLY = ("lightning", "monai", "tensorboard", "mlflow", "wandb")

USES = {
    "a recipe is loaded": "from rma_mamba.training import load_recipe; load_recipe('default')",
    "a history is read": (
        "from pathlib import Path; from rma_mamba.training import read_history; read_history(Path('x'))"
    ),
    "evaluation": "import rma_mamba.evaluation, rma_mamba.inference",
    "a benchmark is loaded": (
        "from rma_mamba.experiments import load_benchmark, run_benchmark; load_benchmark('lits')"
    ),
}


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("use", USES)
def test_no_training_library_is_imported_without_need(use: str) -> None:
    found = run(f"import sys; {USES[use]}; print(' '.join(sys.modules))")
    assert found.returncode == 0, found.stderr
    imported = set(found.stdout.split())
    assert "rma_mamba" in imported
    assert not imported & {*TRAINING_ONLY, "matplotlib"}


@pytest.mark.parametrize("package", ["lightning", "monai"])
def test_a_missing_package_is_a_one_line_error_that_names_the_extra(package: str) -> None:
    hidden = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from rma_mamba.training import train\n"
        "from rma_mamba.errors import BackendError\n"
        "try:\n    train('default')\n"
        "except BackendError as error:\n    print(error)"
    )
    found = run(hidden)
    assert found.returncode == 0, found.stderr
    (line,) = found.stdout.splitlines()
    assert line.startswith(f"training needs the package {package}")
    assert "the extra 'train'" in line
