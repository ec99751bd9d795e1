"""The code of the guide to other programs runs an exported file without this package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from rma_mamba.exporting.onnx_export import export_onnx
from rma_mamba.inference import Segmenter
from rma_mamba.models import create_model
from rma_mamba.models.weights import encode_checkpoint
from tiny import RECIPE, SETTINGS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how-to" / "embed.md"
SHAPE = (3, 3, 40, 48)
THRESHOLD = 0.67
# Headers of ONNX Runtime, which the Python package does not contain, unlike the library.
HEADERS = (
    os.environ.get("ONNXRUNTIME_INCLUDE", ""),
    "/usr/include/onnxruntime",
    "/usr/include/onnxruntime/core/session",
    "/usr/local/include/onnxruntime",
    "/usr/local/include",
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A folder with an exported network and slices, and the mask that the package makes of them."""
    folder = tmp_path_factory.mktemp("embed")
    torch.manual_seed(0)
    state = create_model("rma-mamba-n", **SETTINGS).state_dict()
    recipe = RECIPE | {"threshold": THRESHOLD}
    content = encode_checkpoint(state, model="rma-mamba-n", settings=SETTINGS, recipe=recipe)
    (folder / "small.safetensors").write_bytes(content)
    export_onnx(folder / "small.safetensors", folder / "model.onnx")
    slices = np.random.default_rng(0).random(SHAPE, np.float32)
    np.save(folder / "slices.npy", slices)
    slices.tofile(folder / "slices.raw")
    logits = Segmenter.load(folder / "small.safetensors", device="cpu").logits(slices)
    expected = logits[:, 0] > np.log(THRESHOLD / (1 - THRESHOLD))
    assert 0 < expected.mean() < 1
    return folder, expected


def code_in(language: str) -> str:
    """The code of the guide in a language: short, and without this package."""
    (code,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    assert "rma_mamba" not in code
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 33
    return str(code)


def run(command: list[str | Path], folder: Path) -> None:
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def raw_mask(folder: Path) -> np.ndarray:
    return np.fromfile(folder / "mask.raw", np.uint8).reshape(SHAPE[0], *SHAPE[2:])


def test_the_python_code_makes_the_mask(exported: tuple[Path, np.ndarray]) -> None:
    folder, expected = exported
    run([sys.executable, "-c", code_in("python")], folder)
    assert (np.load(folder / "mask.npy") != expected).mean() < 1e-3


@pytest.mark.parametrize("package", ["onnxruntime-node", "onnxruntime-web"])
def test_the_javascript_code_makes_the_mask(
    exported: tuple[Path, np.ndarray], tmp_path: Path, package: str
) -> None:
    node, installed = shutil.which("node"), ROOT / "node_modules" / package
    if node is None or not installed.is_dir():
        pytest.skip(f"Node.js or {package} is not installed; npm install --no-save {package}")
    folder, expected = exported
    for name in ("model.onnx", "slices.raw"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    code = code_in("javascript")
    assert "onnxruntime-node" in code
    (tmp_path / "segment.mjs").write_text(code.replace("onnxruntime-node", package))
    run([node, "segment.mjs", *map(str, SHAPE)], tmp_path)
    assert (raw_mask(tmp_path) != expected).mean() < 1e-3


def test_the_cpp_code_makes_the_mask(exported: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++ on this machine")
    found = [
        Path(each) for each in HEADERS if each and Path(each, "onnxruntime_cxx_api.h").exists()
    ]
    if not found:
        pytest.skip("there are no headers of ONNX Runtime; set ONNXRUNTIME_INCLUDE to their folder")
    libraries = sorted((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*"))
    if not libraries:
        pytest.skip("this build of ONNX Runtime has no shared library")
    folder, expected = exported
    for name in ("model.onnx", "slices.raw"):
        (tmp_path / name).symlink_to(folder / name)
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (tmp_path / name).symlink_to(libraries[0])
    (tmp_path / "segment.cpp").write_text(code_in("cpp"))
    link = ["-L", ".", "-lonnxruntime", f"-Wl,-rpath,{tmp_path}"]
    run([compiler, "-std=c++17", "segment.cpp", "-I", found[0], *link, "-o", "segment"], tmp_path)
    run(["./segment", *map(str, SHAPE)], tmp_path)
    assert (raw_mask(tmp_path) != expected).mean() < 1e-3
