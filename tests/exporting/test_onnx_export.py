"""A trained network as an ONNX file: the same network, or no file."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from rma_mamba import __version__
from rma_mamba.errors import ConfigError, WeightsError
from rma_mamba.exporting import onnx_checks
from rma_mamba.exporting.onnx_checks import OnnxReport, _labels
from rma_mamba.exporting.onnx_export import export_onnx
from rma_mamba.inference import Segmenter
from rma_mamba.models import create_model
from rma_mamba.models.weights import encode_checkpoint, read_checkpoint
from rma_mamba.pipeline.case_channels import network_channels
from rma_mamba.portable.onnx_model import graph_sha256
from rma_mamba.portable.onnx_session import OnnxNetwork
from rma_mamba.slicing import SliceRecipe
from tiny import RECIPE, SETTINGS, tiny_weights

MODEL = "rma-mamba-n"


def network() -> torch.nn.Module:
    """A small network that does not amplify rounding errors; borders are where its logits are 0.7."""
    torch.manual_seed(0)
    return create_model(MODEL, **SETTINGS).eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    path.write_bytes(
        encode_checkpoint(
            network().state_dict(),
            model=MODEL,
            settings=SETTINGS,
            recipe=RECIPE | {"threshold": 0.67},
        )
    )
    return path


@pytest.fixture(scope="module")
def exported(weights: Path) -> tuple[Path, OnnxReport]:
    path = weights.with_name("tiny.onnx")
    return path, export_onnx(weights, path)


def test_the_file_computes_what_the_segmenter_computes(
    exported: tuple[Path, OnnxReport], weights: Path
) -> None:
    path, report = exported
    images = np.random.default_rng(1).random((3, 3, 50, 64), np.float32)
    found = OnnxNetwork(path.read_bytes()).maps(images)
    expected = Segmenter.load(weights, device="cpu").maps(images)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    assert report.largest_error < 1e-4
    assert report.differing_share <= 2e-4
    assert report.voxels > 10_000


def test_the_file_states_what_it_is(exported: tuple[Path, OnnxReport], weights: Path) -> None:
    path, report = exported
    stored = OnnxNetwork(path.read_bytes()).metadata
    checkpoint = read_checkpoint(weights)
    assert stored["version"] == __version__
    assert json.loads(stored["recipe"]) == checkpoint.recipe
    assert json.loads(stored["classes"]) == ["liver"]
    assert stored["weights_sha256"] == checkpoint.sha256
    assert stored["graph_sha256"] == graph_sha256(onnx.load(path))
    assert stored["licence"].startswith("not stated")
    assert json.loads(stored["verification"]) == report.as_dict()


def test_equal_exports_have_equal_bytes(exported: tuple[Path, OnnxReport], weights: Path) -> None:
    again = weights.with_name("again.onnx")
    export_onnx(weights, again)
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (exported[0], again)}
    assert len(digests) == 1


def test_a_network_that_amplifies_rounding_errors_is_judged_by_its_exact_logits(
    tmp_path: Path,
) -> None:
    path = tiny_weights(tmp_path / "tiny.safetensors")  # PyTorch's own error is 0.1
    report = export_onnx(path, tmp_path / "tiny.onnx", size=(32, 64))
    assert 1e-3 < report.largest_error < 10 * report.rounding_error
    assert "rounding error" in report.line


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_fewer_bits_make_a_smaller_file(
    exported: tuple[Path, OnnxReport], weights: Path, precision: Any, monkeypatch
) -> None:
    monkeypatch.setattr(onnx_checks, "LARGEST_SHARE", 0.05)
    path = weights.with_name(f"{precision}.onnx")
    report = export_onnx(weights, path, precision=precision, licence="CC0")
    assert path.stat().st_size < exported[0].stat().st_size
    assert report.largest_error > exported[1].largest_error
    assert OnnxNetwork(path.read_bytes()).metadata["licence"] == "CC0"


def test_a_different_network_is_not_written(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = OnnxNetwork.maps
    monkeypatch.setattr(onnx_checks, "_exact_maps", Segmenter.maps)
    monkeypatch.setattr(OnnxNetwork, "maps", lambda self, x: [m + 2e-3 for m in maps(self, x)])
    with pytest.raises(ConfigError, match="the exported network is not the same"):
        export_onnx(weights, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_not_a_number_is_a_difference(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = OnnxNetwork.maps
    monkeypatch.setattr(onnx_checks, "_exact_maps", Segmenter.maps)
    monkeypatch.setattr(OnnxNetwork, "maps", lambda self, x: [m * np.nan for m in maps(self, x)])
    with pytest.raises(ConfigError, match="not the same"):
        export_onnx(weights, tmp_path / "model.onnx")


def test_a_fixed_size_is_checked_and_kept(weights: Path, tmp_path: Path) -> None:
    export_onnx(weights, tmp_path / "model.onnx", size=(64, 96))
    found = OnnxNetwork((tmp_path / "model.onnx").read_bytes())
    assert found.maps(np.zeros((2, 3, 64, 96), np.float32))[-1].shape == (2, 1, 64, 96)
    with pytest.raises(ConfigError, match="the size is 31x96"):
        export_onnx(weights, tmp_path / "small.onnx", size=(31, 96))


def test_other_networks_are_named(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = create_model("unext", widths=(8, 8, 8, 8, 8)).state_dict()
    content = encode_checkpoint(
        state, model="unext", settings={"widths": (8, 8, 8, 8, 8)}, recipe=RECIPE
    )
    (tmp_path / "unext.safetensors").write_bytes(content)
    with pytest.raises(ConfigError, match="of the network 'unext'; expected one of rma-mamba-t"):
        export_onnx(tmp_path / "unext.safetensors", tmp_path / "model.onnx")
    with pytest.raises(WeightsError, match="does not exist"):
        export_onnx(tmp_path / "no.safetensors", tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_an_ensemble_is_exported(tmp_path: Path) -> None:
    state = network().state_dict()
    both = {f"members.{n}.{name}": tensor.clone() for n in (0, 1) for name, tensor in state.items()}
    member = {"model": "rma-mamba-n", "settings": SETTINGS}
    content = encode_checkpoint(
        both, model="ensemble", settings={"members": [member, member]}, recipe=RECIPE
    )
    (tmp_path / "both.safetensors").write_bytes(content)
    report = export_onnx(tmp_path / "both.safetensors", tmp_path / "model.onnx")
    assert report.differing_share <= 2e-4


def test_labels_of_exclusive_classes_share_a_softmax() -> None:
    recipe = SliceRecipe.model_validate({**RECIPE, "labels": {"names": ["liver", "spleen"]}})
    logits = np.array([[-3, 2, 2], [-3, 1, 3]], np.float32).reshape(1, 2, 1, 3)
    assert _labels(logits, recipe).tolist() == [[[0, 1, 2]]]


def test_a_network_for_several_scans_is_exported(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = create_model(MODEL, **SETTINGS, input_channels=6).eval()
    content = encode_checkpoint(
        model.state_dict(),
        model=MODEL,
        settings={**SETTINGS, "input_channels": 6},
        recipe={**RECIPE, "channel_names": ("T1", "T2")},
    )
    (tmp_path / "two.safetensors").write_bytes(content)
    report = export_onnx(tmp_path / "two.safetensors", tmp_path / "model.onnx")
    assert report.differing_share <= 2e-4
    shape = onnx.load(tmp_path / "model.onnx").graph.input[0].type.tensor_type.shape
    assert shape.dim[1].dim_value == 6
    assert network_channels(str(tmp_path / "model.onnx")) == ("T1", "T2")
