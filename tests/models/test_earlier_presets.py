"""Weights files of earlier versions load by what is in them, although their preset has changed since."""

from pathlib import Path
from typing import Any

import pytest
import torch

from rma_mamba.inference import Segmenter
from rma_mamba.models import checkpoint_settings, create_model, model_settings
from rma_mamba.models.earlier_presets import EARLIER_PRESETS, stored_settings
from rma_mamba.models.weights import encode_checkpoint, read_checkpoint
from rma_mamba.training.weights_tools import average_weights, describe_weights

SMALL = {"width": 8, "depths": (1, 1, 1, 1), "decoder_width": 8}


@pytest.mark.parametrize("earlier", EARLIER_PRESETS["rma-mamba-n"])
@pytest.mark.parametrize("settings", [{}, SMALL])
def test_the_parameters_show_the_preset(earlier: dict[str, Any], settings: dict[str, Any]) -> None:
    with torch.device("meta"):
        state = create_model("rma-mamba-n", **earlier, **settings).state_dict()
    found = stored_settings(create_model, "rma-mamba-n", settings, state)
    assert found == {**earlier, **settings}
    with torch.device("meta"):
        now = create_model("rma-mamba-n", **settings).state_dict()
    assert stored_settings(create_model, "rma-mamba-n", settings, now) == settings


def test_earlier_presets_have_the_parameters_that_their_versions_counted() -> None:
    for earlier, count in zip(
        EARLIER_PRESETS["rma-mamba-n"], (3_565_717, 3_561_909, 3_556_932), strict=True
    ):
        with torch.device("meta"):
            network = create_model("rma-mamba-n", **earlier)
        assert sum(each.numel() for each in network.parameters()) == count


def test_an_earlier_file_segments_and_is_exported_with_its_whole_configuration(
    tmp_path: Path,
) -> None:
    earlier = EARLIER_PRESETS["rma-mamba-n"][2]
    network = create_model("rma-mamba-n", **earlier, **SMALL)
    path = tmp_path / "earlier.safetensors"
    recipe = {"size": 32, "spacing_mm": 3.0, "magnifications": [1.0]}
    content = encode_checkpoint(
        network.state_dict(), model="rma-mamba-n", settings=SMALL, recipe=recipe
    )
    path.write_bytes(content)
    assert Segmenter.load(path, device="cpu").recipe.tta_scales == (1.0,)
    expected = model_settings("rma-mamba-n", **earlier, **SMALL)
    assert checkpoint_settings(read_checkpoint(path)) == expected
    out = tmp_path / "new.safetensors"
    average_weights([path], out, "float32")
    assert read_checkpoint(out).settings == describe_weights(path)["settings"] == expected
