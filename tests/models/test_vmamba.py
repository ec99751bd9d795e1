"""VMamba as a feature extractor."""

import pytest
import torch

from rma_mamba.models import create_model


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (50, 33)])
@torch.inference_mode()
def test_four_maps_at_a_quarter_down_to_a_thirty_second(height: int, width: int) -> None:
    encoder = create_model("vmamba-t", width=8, depths=(1, 1, 1, 1)).eval()
    maps = encoder(torch.rand(2, 3, height, width))
    sides = [(-(-height // step), -(-width // step)) for step in (4, 8, 16, 32)]
    assert [tuple(each.shape) for each in maps] == [
        (2, channels, *side) for channels, side in zip((8, 16, 32, 64), sides, strict=True)
    ]


def test_step_sizes_are_initialised_between_a_thousandth_and_a_tenth() -> None:
    torch.manual_seed(0)
    state = create_model("vmamba-t", width=16, depths=(1, 1, 1, 1)).state_dict()
    steps = torch.nn.functional.softplus(state["layers.0.blocks.0.op.dt_projs_bias"])
    assert 0.9e-3 < steps.min() < 2e-3
    assert 0.05 < steps.max() < 0.101
