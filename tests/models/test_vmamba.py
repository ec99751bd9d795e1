"""VMamba as a feature extractor."""

import pytest
import torch

from rma_mamba.models import create_model
from rma_mamba.models.layers import DropPath


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (50, 33)])
@torch.inference_mode()
def test_four_maps_at_a_quarter_down_to_a_thirty_second(height: int, width: int) -> None:
    encoder = create_model("vmamba-t", width=8, depths=(1, 1, 1, 1)).eval()
    maps = encoder(torch.rand(2, 3, height, width))
    sides = [(-(-height // step), -(-width // step)) for step in (4, 8, 16, 32)]
    assert [tuple(each.shape) for each in maps] == [
        (2, channels, *side) for channels, side in zip((8, 16, 32, 64), sides, strict=True)
    ]


def test_stochastic_depth_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    drop = DropPath(0.25)
    out = drop(torch.ones(4000, 2, 3))
    assert set(out.flatten(1).std(1).tolist()) == {0.0}
    assert out.mean() == pytest.approx(1, abs=0.05)
    assert (out == 0).float().mean() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(drop.eval()(out), out)


def test_step_sizes_start_between_a_thousandth_and_a_tenth() -> None:
    torch.manual_seed(0)
    state = create_model("vmamba-t", width=16, depths=(1, 1, 1, 1)).state_dict()
    steps = torch.nn.functional.softplus(state["layers.0.blocks.0.op.dt_projs_bias"])
    assert 0.9e-3 < steps.min() < 2e-3
    assert 0.05 < steps.max() < 0.101
