"""Several weights files become one that segments with the mean of their probabilities."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rma_mamba.errors import WeightsError
from rma_mamba.inference import Segmenter
from rma_mamba.models import create_model, model_settings
from rma_mamba.models.weights import encode_checkpoint, read_checkpoint
from rma_mamba.training.ensemble_weights import write_ensemble
from rma_mamba.training.weights_tools import average_weights
from tiny import RECIPE, SETTINGS, shift, tiny_network


def member(path: Path, amount: float, **recipe: Any) -> Path:
    model = tiny_network()
    shift(model, amount)
    state, recipe = model.state_dict(), {**RECIPE, **recipe}
    content = encode_checkpoint(state, model="rma-mamba-n", settings=SETTINGS, recipe=recipe)
    path.write_bytes(content)
    return path


def unet(path: Path) -> Path:
    torch.manual_seed(1)
    state = create_model("unet", width=4).state_dict()
    content = encode_checkpoint(state, model="unet", settings={"width": 4}, recipe=RECIPE)
    path.write_bytes(content)
    return path


def scan() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(60, 40, (40, 36, 5)).astype(np.float32), np.diag([3.0, 3.0, 5.0, 1.0])


def probabilities(weights: Path) -> np.ndarray:
    segmenter = Segmenter.load(weights, device="cpu")
    found = segmenter(scan(), modality="MR", keep_probabilities=True).probabilities
    assert found is not None
    return found


def test_probabilities_of_a_scan_are_the_mean_of_the_members(tmp_path: Path) -> None:
    paths = [
        member(tmp_path / "a.safetensors", 0),
        member(tmp_path / "b.safetensors", 6),
        unet(tmp_path / "c.safetensors"),
    ]
    out = tmp_path / "all.safetensors"
    write_ensemble(paths, out, "float32")
    expected = np.mean([probabilities(path) for path in paths], axis=0)
    np.testing.assert_allclose(probabilities(out), expected, atol=1e-5)
    assert np.abs(probabilities(paths[1]) - expected).max() > 0.1


def test_the_file_holds_the_configuration_of_every_member(tmp_path: Path) -> None:
    paths = [member(tmp_path / "a.safetensors", 0), unet(tmp_path / "b.safetensors")]
    out = tmp_path / "all.safetensors"
    write_ensemble(paths, out)
    found = read_checkpoint(out)
    assert [each["model"] for each in found.settings["members"]] == ["rma-mamba-n", "unet"]
    assert found.settings["members"][0]["settings"] == model_settings("rma-mamba-n", **SETTINGS)
    assert found.recipe["spacing_mm"] == RECIPE["spacing_mm"]
    again = write_ensemble(paths, tmp_path / "again.safetensors")
    assert again.sha256 == found.sha256
    assert out.read_bytes() == (tmp_path / "again.safetensors").read_bytes()
    origins = [each["sha256"] for each in found.provenance["ensemble_of"]]
    assert origins == [read_checkpoint(path).sha256 for path in paths]


def test_an_ensemble_of_ensembles_has_all_networks_as_members(tmp_path: Path) -> None:
    paths = [member(tmp_path / f"{i}.safetensors", i) for i in range(3)]
    inner, outer, flat = (tmp_path / f"{name}.safetensors" for name in ("inner", "outer", "flat"))
    write_ensemble(paths[:2], inner, "float32")
    write_ensemble([inner, paths[2]], outer, "float32")
    write_ensemble(paths, flat, "float32")
    assert read_checkpoint(outer).settings == read_checkpoint(flat).settings
    assert read_checkpoint(outer).sha256 == read_checkpoint(flat).sha256


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        ({"spacing_mm": 2.0}, r"spacing_mm is 2\.0 instead of 3\.0"),
        ({"neighbours": False}, "neighbours is False instead of True"),
        ({"tta_scales": (1.0, 1.2)}, "tta_scales"),
        ({"size": "huge"}, None),
    ],
)
def test_different_slice_recipes_are_refused(
    tmp_path: Path, recipe: dict[str, Any], named: str | None
) -> None:
    one = member(tmp_path / "one.safetensors", 0)
    other = member(tmp_path / "other.safetensors", 1, **recipe)
    out = tmp_path / "all.safetensors"
    with pytest.raises(WeightsError, match=named or "slice recipe of other") as caught:
        write_ensemble([one, other], out)
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_defaults_that_are_written_out_are_the_same_recipe(tmp_path: Path) -> None:
    one = member(tmp_path / "one.safetensors", 0)
    other = member(tmp_path / "other.safetensors", 1, threshold=0.5, mr_headroom=0)
    write_ensemble([one, other], tmp_path / "all.safetensors")


def test_one_network_or_the_same_twice_is_refused(tmp_path: Path) -> None:
    one = member(tmp_path / "one.safetensors", 0)
    copy = member(tmp_path / "copy.safetensors", 0)
    with pytest.raises(WeightsError, match="contain the same weights"):
        write_ensemble([one, copy], tmp_path / "all.safetensors")
    with pytest.raises(WeightsError, match="expected at least two"):
        write_ensemble([one], tmp_path / "all.safetensors")


def test_an_ensemble_is_not_averaged_into_one_network_by_accident(tmp_path: Path) -> None:
    paths = [member(tmp_path / f"{i}.safetensors", i) for i in range(2)]
    write_ensemble(paths, tmp_path / "all.safetensors")
    with pytest.raises(WeightsError, match="different network"):
        average_weights([tmp_path / "all.safetensors", paths[0]], tmp_path / "mean.safetensors")
