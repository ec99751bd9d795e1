"""The GPU trial does all its parts where only torch, Triton, numba, safetensors, NumPy and pydantic are installed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rma_mamba.models import create_model
from rma_mamba.models.weights import encode_checkpoint, read_checkpoint

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, Any] = {"width": 8, "depths": (1, 1, 1, 1), "half_width": 4, "decoder_local": 8}
RECIPE = {"size": 64, "neighbours": True, "modality_plane": True, "through_plane_mm": 5.0}
WITHOUT_OTHER_LIBRARIES = """
import runpy, sys
absent = "gdcm highdicom jinja2 lightning matplotlib monai nibabel PIL pydicom pyjpegls SimpleITK skimage typer".split()
sys.modules.update(dict.fromkeys(absent))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def packing(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "gpu"))
    import packing

    return packing


def make_cases(packing: Any) -> list[Any]:
    random = np.random.default_rng(0)
    cases = []
    for number, (ordered, validation) in enumerate([(True, False), (False, False), (True, True)]):
        images = random.integers(0, 256, (6, 64, 64), dtype=np.uint8)
        labels = np.zeros_like(images)
        labels[2:5, 20:40, 10:30] = 1
        fields = {"source": "phantoms", "patient": str(number), "weight": 1.0, "hounsfield": True}
        fields |= {"ordered": ordered, "gap_mm": 5.0 if ordered else None, "validation": validation}
        cases.append(packing.PackedCase(images=images, labels=labels, **fields))
    return cases


def test_packed_cases_are_unpacked_without_loss(packing: Any) -> None:
    cases = make_cases(packing)
    for case, found in zip(cases, packing.decode(packing.encode(cases)), strict=True):
        np.testing.assert_array_equal(found.images, case.images)
        np.testing.assert_array_equal(found.labels, case.labels)
        assert (found.patient, found.gap_mm) == (case.patient, case.gap_mm)


@pytest.mark.parametrize("size", [100, 192, 201])
def test_slices_of_any_size_are_cropped_around_their_centre(packing: Any, size: int) -> None:
    slices = np.zeros((2, size, size), np.uint8)
    slices[:, size // 2, size // 2] = 9
    found = packing._cropped(slices)
    assert found.shape == (2, 192, 192)
    assert abs(np.argwhere(found[0])[0] - 96).max() <= 1


def test_all_parts_run_and_train_from_a_pack(packing: Any, tmp_path: Path) -> None:
    pytest.importorskip("triton", reason="Triton does not support this platform")
    torch.manual_seed(0)
    model = create_model("rma-mamba-z", **SETTINGS)
    content = encode_checkpoint(
        model.state_dict(), model="rma-mamba-z", settings=SETTINGS, recipe=RECIPE
    )
    (tmp_path / "initial.safetensors").write_bytes(content)
    (tmp_path / "recipe.json").write_text('{"training": {"lr": 1e-3}}')
    (tmp_path / "cases.zip").write_bytes(packing.encode(make_cases(packing)))
    command = [sys.executable, "-c", WITHOUT_OTHER_LIBRARIES, str(ROOT / "scripts/gpu_trial.py")]
    options = ["--train", str(tmp_path), "--train-minutes", "0.02", "--device", "cpu", "--quick"]
    done = subprocess.run(
        [*command, "run", str(tmp_path / "out"), *options],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert set(result["parts"]) == {"kernels", "scans", "training", "networks"}
    assert {row["precision"] for row in result["parts"]["kernels"]["errors"]} == {
        "float32", "bfloat16", "float16",
    }  # fmt: skip
    history = result["parts"]["training"]["history"]
    assert history[-1]["step"] > 0
    assert np.isfinite(history[-1]["loss"])
    assert read_checkpoint(tmp_path / "out" / "weights.safetensors").model == "rma-mamba-z"


def test_a_part_that_fails_is_recorded_and_the_others_run(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts/gpu_trial.py"), "run", str(tmp_path / "out")]
    options = ["--onnx", str(tmp_path / "missing.onnx"), "--device", "meta", "--quick"]
    done = subprocess.run([*command, *options], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    parts = json.loads((tmp_path / "out" / "result.json").read_text())["parts"]
    assert "failed" in parts["onnx"]
    assert set(parts) == {"kernels", "scans", "onnx", "networks"}
