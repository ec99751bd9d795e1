"""The names and sizes of the networks are those in the table of the paper."""

import pytest
import torch
from torch import nn

from rma_mamba.errors import ConfigError
from rma_mamba.models import create_model, list_models
from rma_mamba.models.registry import PARAMETERS


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", list_models())
def test_each_name_creates_a_network_of_the_stated_size(name: str) -> None:
    with torch.device("meta"):
        assert count(create_model(name)) == PARAMETERS[name]


def test_the_compact_network_has_at_most_four_million_parameters() -> None:
    assert PARAMETERS["rma-mamba-n"] <= 4_000_000


@pytest.mark.parametrize(
    ("depths", "extra_blocks", "attention", "parameters"),
    [
        ((2, 2, 5, 2), 0, "ra", 30_040_324),
        ((2, 2, 15, 2), 0, "ra", 49_482_244),
        ((2, 2, 15, 2), 0, "rma", 49_575_748),
        ((2, 2, 15, 2), 1, "ra", 59_768_164),
        ((2, 2, 5, 2), 0, "rma", 30_133_828),
        ((2, 2, 15, 2), 1, "rma", 59_861_668),
    ],
)
def test_all_six_rows_of_the_ablation_exist(
    depths: tuple[int, ...], extra_blocks: int, attention: str, parameters: int
) -> None:
    settings = {"depths": depths, "extra_blocks": extra_blocks, "attention": attention}
    assert count(create_model("rma-mamba-t", **settings)) == parameters


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("rma-mamba-x", {}, "Did you mean 'rma-mamba-"),
        ("segnet", {}, "expected one of rma-mamba-n"),
        ("rma-mamba-n", {"atention": "ra"}, "Did you mean 'attention'"),
        ("rma-mamba-n", {"attention": "none"}, "'attention' of rma-mamba-n is \"none\""),
        ("rma-mamba-n", {"width": 33}, "'width' of rma-mamba-n is 33"),
        ("rma-mamba-n", {"depths": (2, 2, 2)}, "depths"),
        ("vmamba-t", {"depth": (1, 1, 1, 1)}, "Did you mean 'depths'"),
        ("vmamba-t", {"depths": (1, 1, 1)}, "depths"),
        ("vmamba-t", {"states": 0}, "'states' of vmamba-t is 0"),
        ("transnetr", {"attention_over": "slices"}, "'attention_over' of transnetr is \"slices\""),
        ("transresunet", {"atention_over": "batch"}, "Did you mean 'attention_over'"),
        ("double-unet", {"width": 24}, "'width' of double-unet is 24"),
        ("unext", {"widths": (4, 4)}, "widths"),
        ("transnetr", {"encoder_depths": (3, 4, 0, 3)}, "'encoder_depths.2' of transnetr is 0"),
        ("doubleunet", {}, "Did you mean 'double-unet'"),
    ],
)
def test_a_wrong_name_or_setting_is_a_one_line_error(
    name: str, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        create_model(name, **settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
