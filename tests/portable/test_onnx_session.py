"""A network on ONNX Runtime."""

import os
import sys
import threading
import time

import numpy as np
import pytest
import torch

from forks import in_a_fork
from onnx_graphs import arrays
from rma_mamba.errors import BackendError
from rma_mamba.models import create_model
from rma_mamba.portable import onnx_session
from rma_mamba.portable.onnx_model import build_onnx_model
from rma_mamba.portable.onnx_session import OnnxNetwork

SETTINGS = {"width": 8, "depths": (1, 1, 1, 1), "decoder_width": 8}
IMAGES = np.random.default_rng(0).random((3, 3, 64, 40), np.float32)


@pytest.fixture(scope="module")
def content() -> bytes:
    torch.manual_seed(0)
    model = create_model("rma-mamba-t", **SETTINGS).eval()
    return build_onnx_model([model.config], arrays(model), {"model": "small"}).SerializeToString()


def test_there_are_three_maps_at_the_size_of_the_images(content: bytes) -> None:
    maps = OnnxNetwork(content).maps(IMAGES)
    assert [each.shape for each in maps] == [(3, 1, 64, 40)] * 3
    assert [each.dtype for each in maps] == [np.float32] * 3
    roughness = [np.abs(np.diff(each, 2, axis=3)).mean() for each in maps]
    assert roughness[0] < roughness[2]  # the finest is last


def test_the_number_of_threads_does_not_change_the_logits(content: bytes) -> None:
    one, two = (OnnxNetwork(content, threads=threads).maps(IMAGES)[-1] for threads in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_slices_of_a_2d_network_do_not_depend_on_each_other(content: bytes) -> None:
    network = OnnxNetwork(content)
    together, alone = network.maps(IMAGES)[-1], network.maps(IMAGES[1:2])[-1]
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)


def test_the_metadata_can_be_read(content: bytes) -> None:
    metadata = OnnxNetwork(content).metadata
    assert metadata["model"] == "small"
    assert len(metadata["graph_sha256"]) == 64


def test_devices_have_the_names_of_the_command_line(content: bytes) -> None:
    assert OnnxNetwork(content, "auto").device == "cpu"
    assert OnnxNetwork(content, "cpu").device == "cpu"
    for device in ("cuda", "gpu:1", "cpu:x", "tpu"):
        with pytest.raises(BackendError, match=f"the device '{device}' cannot be used"):
            OnnxNetwork(content, device)


def test_threads_are_those_that_the_user_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert onnx_session._usable_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert onnx_session._usable_threads() == len(os.sched_getaffinity(0))


def test_fewer_maps_can_be_asked_for(content: bytes) -> None:
    network = OnnxNetwork(content)
    (finest,) = network.maps(IMAGES, 1)
    np.testing.assert_array_equal(finest, network.maps(IMAGES)[-1])


def maps_beside_new_threads(network: OnnxNetwork) -> np.ndarray:
    """In a forked process: new threads take the memory of those that did not survive the fork."""
    for _ in range(8):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return network.maps(IMAGES)[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_process_does_not_wait_for_the_threads_of_its_parent(content: bytes) -> None:
    network = OnnxNetwork(content, threads=3)
    found = in_a_fork(lambda: maps_beside_new_threads(network))
    np.testing.assert_allclose(found, network.maps(IMAGES)[-1], atol=1e-6)
