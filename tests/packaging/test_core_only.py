"""With the libraries of the core alone every task works, or says in one line which extra it needs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rma_mamba
from clinical_series import clinical_series
from dicom_series import save
from folders import folder_config, write_folder
from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.training.toml_writer import to_toml
from tiny import SETTINGS, tiny_weights

SCRIPT = Path(__file__).with_name("core_only.py")

End = dict[str, Any]
Run = Callable[..., list[End]]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans, weights, a mask and a recipe."""
    work = tmp_path_factory.mktemp("core")
    phantom = make_phantom(3, shape=(40, 40, 6), spacing_mm=(8.0, 8.0, 30.0))
    (work / "scans").mkdir()
    rma_mamba.write_scan(phantom.volume, work / "scans" / "scan.nii.gz")
    rma_mamba.write_mask(phantom.mask, work / "truth.nii.gz")
    (work / "series").mkdir()
    save(work / "series", clinical_series())
    tiny_weights(work / "tiny.safetensors")
    data = folder_config(write_folder(work / "data"))
    content = {
        "run": {"folder": str(work / "run")},
        "model": {"name": "rma-mamba-n", "settings": {**SETTINGS, "depths": [1, 1, 1, 1]}},
        "data": data.model_dump(mode="json", exclude_unset=True),
    }
    (work / "recipe.toml").write_text(to_toml(content))
    return work


@pytest.fixture(scope="module")
def run(work: Path) -> Run:
    """Runs commands one after the other in one new process."""

    def run(*commands: str) -> list[End]:
        done = subprocess.run(
            [sys.executable, SCRIPT, json.dumps([command.split() for command in commands])],
            cwd=work,
            env=dict(os.environ) | {"RMA_MAMBA_BACKEND": "reference"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        # Something is hidden at all: what trains, what exports, and what tests.
        assert {"torch", "numba", "onnx", "lightning", "monai", "pytest"} <= set(answer["hidden"])
        ends: list[End] = answer["ends"]
        return ends

    return run


TASKS = (
    "info",
    "series series",
    "measure truth.nii.gz --scan scans/scan.nii.gz",
    "score truth.nii.gz truth.nii.gz",
    "data check folders data/volumes",
    "segment -i scans/scan.nii.gz -o one -m tiny.safetensors -s -p -q",
    "segment -i series -o dicom -m tiny.safetensors -ot nifti,dicom_seg,dicom_sr,stl --report -q",
    "evaluate recipe.toml -m tiny.safetensors -q",
)


@pytest.fixture(scope="module")
def ends(run: Run) -> dict[str, End]:
    """How the tasks of the core end."""
    return dict(zip(TASKS, run(*TASKS), strict=True))


@pytest.mark.parametrize("task", TASKS)
def test_the_core_installation_is_sufficient_for(task: str, ends: dict[str, End]) -> None:
    allowed = (0, 4) if task.startswith("data check") else (0,)  # 4: it found errors in the data
    assert ends[task]["code"] in allowed, ends[task]["err"]
    assert "not installed" not in ends[task]["err"]


def test_no_task_imports_a_library_that_it_does_not_need(ends: dict[str, End]) -> None:
    def loaded(task: str) -> set[str]:
        return set(ends[task]["loaded"])

    scoring = next(task for task in TASKS if task.startswith("data check"))  # and all before it
    assert not {"onnxruntime", "matplotlib"} & loaded(scoring)
    segmenting = next(task for task in TASKS if " one " in task)
    assert "onnxruntime" in loaded(segmenting)
    assert "matplotlib" not in loaded(segmenting)
    reporting = next(task for task in TASKS if "--report" in task)
    assert "matplotlib" in loaded(reporting)  # so its absence above says something


LACKING = {
    "train recipe.toml": ("train", "lightning"),
    "benchmark chaos_mini -q": ("train", "lightning"),
    "pretrain recipe.toml scans": ("train", "lightning"),
    "sweep recipe.toml --param training.lr=1e-4:1e-2:log": ("sweep", "optuna"),
    "export tiny.safetensors -o model.onnx": ("torch", "torch"),
    "export tiny.safetensors --monai-bundle bundle": ("bundle", "torch"),
    "weights info tiny.safetensors": ("torch", "torch"),
    "weights average tiny.safetensors tiny.safetensors -o mean.safetensors": ("torch", "torch"),
    "segment -i scans -o many -m tiny.safetensors --runtime torch": ("torch", "torch"),
    "segment -i scans -o many -m tiny.safetensors --precision bfloat16": ("torch", "torch"),
    "segment -i scans -o many -m tiny.safetensors --engine ray": ("ray", "ray"),
}


def test_a_task_without_its_extra_is_a_one_line_error(run: Run) -> None:
    for (extra, package), end in zip(LACKING.values(), run(*LACKING), strict=True):
        assert end["code"] == 7, end["err"]
        assert end["out"] == ""
        assert end["err"].startswith("rma-mamba: error: ")
        assert end["err"].count("\n") == 1
        assert f"needs the package {package}, which is not installed" in end["err"]
        assert f"pip install '.[{extra}]' from a clone" in end["err"]
