"""An optimised network is kept on disk for one runtime and processor; a file that cannot be used does no harm."""

import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from onnx_graphs import arrays
from rma_mamba.models import create_model
from rma_mamba.portable import optimized_networks
from rma_mamba.portable.onnx_model import build_onnx_model
from rma_mamba.portable.onnx_session import OnnxNetwork
from rma_mamba.portable.optimized_networks import keep_optimized, read_optimized

SETTINGS = {"width": 8, "depths": (1, 1, 1, 1), "decoder_width": 8}
IMAGES = np.random.default_rng(0).random((2, 3, 64, 40), np.float32)
RUNTIME, NAME = onnxruntime.__version__, "small"


@pytest.fixture(scope="module")
def content() -> bytes:
    torch.manual_seed(0)
    model = create_model("rma-mamba-t", **SETTINGS).eval()
    return build_onnx_model([model.config], arrays(model), {"model": "small"}).SerializeToString()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RMA_MAMBA_HOME", str(tmp_path))
    return tmp_path


def kept(home: Path) -> list[Path]:
    return sorted((home / "networks").glob("*"))


def test_the_second_session_is_the_optimised_one_with_the_same_logits(
    content: bytes, home: Path
) -> None:
    expected = OnnxNetwork(content).maps(IMAGES)
    assert not kept(home)
    for _ in range(2):
        network = OnnxNetwork(content, kept_as=NAME)
        assert all(map(np.array_equal, network.maps(IMAGES), expected))
        assert network.metadata == OnnxNetwork(content).metadata
        (file,) = kept(home)
        written = file.stat().st_mtime_ns
    assert file.stat().st_mtime_ns == written
    assert read_optimized(NAME, RUNTIME) != content


@pytest.mark.parametrize("damage", [b"", b"x" * 500])
def test_a_damaged_file_is_replaced(content: bytes, home: Path, damage: bytes) -> None:
    OnnxNetwork(content, kept_as=NAME)
    (file,) = kept(home)
    file.write_bytes(damage)
    assert read_optimized(NAME, RUNTIME) is None
    OnnxNetwork(content, kept_as=NAME).maps(IMAGES)
    assert read_optimized(NAME, RUNTIME)


def test_a_file_that_is_no_network_is_replaced(content: bytes, home: Path) -> None:
    keep_optimized(NAME, RUNTIME, b"no network")
    OnnxNetwork(content, kept_as=NAME).maps(IMAGES)
    assert read_optimized(NAME, RUNTIME) != b"no network"


def test_the_model_is_made_only_if_there_is_no_optimised_one(content: bytes) -> None:
    made: list[bytes] = []

    def make() -> bytes:
        made.append(content)
        return content

    for _ in range(3):
        OnnxNetwork(make, kept_as=NAME)
    assert len(made) == 1


def test_another_runtime_processor_or_model_has_another_file(
    content: bytes, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keep_optimized(NAME, RUNTIME, b"optimised")
    assert read_optimized(NAME, RUNTIME) == b"optimised"
    assert read_optimized(NAME, "0.1") is None
    assert read_optimized("another", RUNTIME) is None
    monkeypatch.setattr(optimized_networks, "_CPU_INFO", tmp_path / "other")
    (tmp_path / "other").write_text("flags : sse2\n")
    assert read_optimized(NAME, RUNTIME) is None


def test_only_the_latest_files_are_kept(home: Path) -> None:
    for number in range(7):
        keep_optimized(str(number), RUNTIME, b"optimised")
        for file in kept(home):
            os.utime(file, ns=(0, file.stat().st_mtime_ns - 10**9))
    assert len(kept(home)) == 4
    assert read_optimized("6", RUNTIME)
    assert read_optimized("0", RUNTIME) is None


def test_without_a_folder_the_network_runs(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimized_networks, "user_folder", lambda: Path("/proc/none"))
    assert len(OnnxNetwork(content, kept_as=NAME).maps(IMAGES)) == 3
