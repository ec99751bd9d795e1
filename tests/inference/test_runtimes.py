"""A scan is segmented by PyTorch or by ONNX Runtime, with the same result."""

import multiprocessing
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import rma_mamba
from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.errors import BackendError, ConfigError, WeightsError
from rma_mamba.exporting.onnx_export import export_onnx
from rma_mamba.inference import Segmenter, runtimes
from rma_mamba.inference.runtimes import choose_runtime
from rma_mamba.models import create_model
from rma_mamba.models.earlier_presets import EARLIER_PRESETS
from rma_mamba.models.weights import encode_checkpoint
from rma_mamba.volume import Volume
from tiny import SETTINGS

SCALES = {"size": 32, "spacing_mm": 6.0, "tta_scales": (1.0, 1.2), "neighbours": True}


def write(path: Path, model: str, settings: dict, recipe: dict, threshold: float = 0.67) -> Path:
    torch.manual_seed(0)
    state = create_model(model, **settings).state_dict()
    recipe = {**SCALES, **recipe, "threshold": threshold}
    path.write_bytes(encode_checkpoint(state, model=model, settings=settings, recipe=recipe))
    return path


@pytest.fixture(scope="module")
def scan() -> Volume:
    return make_phantom(0, contrast="ct", shape=(48, 48, 12), spacing_mm=(7.0, 7.0, 20.0)).volume


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("w") / "small.safetensors", "rma-mamba-n", SETTINGS, {})


def both(path: Path, scan: Volume, **options) -> tuple:
    return tuple(
        Segmenter.load(path, device="cpu", runtime=runtime, **options)(
            scan, keep_probabilities=True, square_side=24
        )
        for runtime in ("torch", "onnx")
    )


def assert_same(one, other) -> None:
    """The whole result, not only the mask."""
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-4)
    assert (one.mask.labels != other.mask.labels).mean() < 2e-4
    assert (one.squares != other.squares).mean() < 2e-3
    assert one.uncertainty.agreements == pytest.approx(other.uncertainty.agreements, abs=1e-3)
    assert one.quality.light == other.quality.light
    assert one.warnings == other.warnings


@pytest.mark.parametrize("options", [{}, {"fast": True}, {"batch_size": 5}])
def test_both_runtimes_give_the_same_result(weights: Path, scan: Volume, options: dict) -> None:
    one, other = both(weights, scan, **options)
    assert 0 < one.mask.labels.mean() < 1
    assert_same(one, other)
    with pytest.raises(AssertionError):
        assert_same(one, both(weights, scan, postprocessing="none", fast=True)[1])


def test_so_do_networks_that_see_the_whole_scan(tmp_path: Path, scan: Volume) -> None:
    settings = {**SETTINGS, "through_plane": (0, 1, 0, 1)}
    path = tmp_path / "whole.safetensors"
    write(path, "rma-mamba-z", settings, {"through_plane_mm": 20.0, "modality_plane": True})
    assert_same(*both(path, scan))


def test_so_do_networks_with_several_classes(tmp_path: Path, scan: Volume) -> None:
    for number, inside in enumerate(({}, {"tumour": "liver"})):
        labels = {"names": ["liver", "tumour"], "inside": inside}
        path = tmp_path / f"{number}.safetensors"
        write(path, "rma-mamba-n", {**SETTINGS, "classes": 2}, {"labels": labels})
        one, other = both(path, scan)
        assert_same(one, other)
        assert (one.mask.classes.values != other.mask.classes.values).mean() < 2e-4


def test_weights_of_earlier_presets_are_read(tmp_path: Path, scan: Volume) -> None:
    for number, earlier in enumerate(EARLIER_PRESETS["rma-mamba-n"]):
        path = tmp_path / f"{number}.safetensors"
        torch.manual_seed(0)
        state = create_model("rma-mamba-n", **earlier, **SETTINGS).state_dict()
        content = encode_checkpoint(state, model="rma-mamba-n", settings=SETTINGS, recipe=SCALES)
        path.write_bytes(content)
        images = np.random.default_rng(0).random((2, 3, 32, 32), np.float32)
        found = [
            Segmenter.load(path, device="cpu", runtime=each).logits(images)
            for each in ("torch", "onnx")
        ]
        np.testing.assert_allclose(*found, atol=1e-4)


def test_an_exported_file_segments(weights: Path, scan: Volume, tmp_path: Path) -> None:
    export_onnx(weights, tmp_path / "model.onnx", size=(64, 64))
    path = tmp_path / "dynamic.onnx"
    export_onnx(weights, path)
    exported = Segmenter.load(path, device="cpu")
    assert exported.runtime == "onnx"
    expected = Segmenter.load(weights, device="cpu", runtime="torch")
    assert exported.weights_sha256 == expected.weights_sha256
    assert exported.recipe == expected.recipe
    assert_same(
        *(each(scan, keep_probabilities=True, square_side=24) for each in (exported, expected))
    )
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="corrupt or not an ONNX file of this package"):
        Segmenter.load(path)
    with pytest.raises(WeightsError, match="does not exist"):
        Segmenter.load(tmp_path / "no.onnx")


def test_neither_torch_nor_numba_is_imported(weights: Path, scan: Volume, tmp_path: Path) -> None:
    rma_mamba.write_scan(scan, tmp_path / "scan.nii.gz")
    script = (
        "import sys; sys.modules.update(torch=None, numba=None, triton=None)\n"
        "from rma_mamba.cli import main\n"
        f"sys.argv[1:] = 'segment -i scan.nii.gz -o out -m {weights} --runtime onnx -s -p -q'.split()\n"
        "main()"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    assert (tmp_path / "out" / "scan" / "statistics.json").is_file()


def in_child(segmenter: Segmenter, images: np.ndarray, answers) -> None:
    answers.put(segmenter.logits(images))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_network_works_in_a_forked_process(weights: Path) -> None:
    segmenter = Segmenter.load(weights, device="cpu", runtime="onnx")
    images = np.random.default_rng(0).random((2, 3, 32, 32), np.float32)
    expected = segmenter.logits(images)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=in_child, args=(segmenter, images, answers))
    child.start()
    found = answers.get(timeout=60)
    child.join()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_auto_is_torch_if_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_runtime("auto", "default", "float32") == "torch"
    assert choose_runtime("auto", "model.onnx", "float32") == "onnx"
    assert choose_runtime("onnx", "default", "float32") == "onnx"
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda name: None)
    assert choose_runtime("auto", "default", "float32") == "onnx"
    for requested, precision in (("torch", "float32"), ("auto", "bfloat16")):
        with pytest.raises(BackendError, match=r"needs the package torch.*\[torch\]"):
            choose_runtime(requested, "default", precision)


def test_what_a_runtime_cannot_do_is_an_error(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is an ONNX file, and the runtime is torch"):
        choose_runtime("torch", "model.onnx", "float32")
    with pytest.raises(ConfigError, match="expected float32 with ONNX Runtime"):
        Segmenter.load(weights, runtime="onnx", precision="bfloat16")
    with pytest.raises(BackendError, match="'cuda:x' cannot be used with ONNX Runtime"):
        Segmenter.load(weights, runtime="onnx", device="cuda:x")
    unext = write(tmp_path / "unext.safetensors", "unext", {"widths": (8,) * 5}, {})
    with pytest.raises(ConfigError, match="Other networks run on PyTorch only"):
        Segmenter.load(unext, runtime="onnx")
