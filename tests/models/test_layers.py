"""Layers that all networks share."""

import pytest
import torch
from torch import nn

from rma_mamba.errors import ConfigError
from rma_mamba.models.layers import (
    ChannelsLast,
    ConvNorm,
    DropPath,
    residual_convs,
    resize,
    run_padded,
    zero_init,
)


def test_stochastic_depth_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    drop = DropPath(0.25)
    out = drop(torch.ones(4000, 2, 3))
    assert set(out.flatten(1).std(1).tolist()) == {0.0}
    assert out.mean() == pytest.approx(1, abs=0.05)
    assert (out == 0).float().mean() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(drop.eval()(out), out)


def trained(layer: ConvNorm) -> ConvNorm:
    """The layer with statistics and an affine transformation that are not the identity."""
    nn.init.uniform_(layer.bn.weight, 0.5, 2)
    nn.init.uniform_(layer.bn.bias, -1, 1)
    layer.bn.running_mean.uniform_(-1, 1)
    layer.bn.running_var.uniform_(0.5, 2)
    return layer.eval()


@torch.no_grad()
def test_folding_the_norm_does_not_change_the_output() -> None:
    torch.manual_seed(0)
    layer, x = trained(ConvNorm(3, 5, 3, dilation=2)), torch.rand(2, 3, 9, 8)
    before = layer(x)
    layer.fold()
    assert isinstance(layer.bn, nn.Identity)
    torch.testing.assert_close(layer(x), before, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(
        nn.functional.conv2d(x, layer.conv.weight, padding=2, dilation=2), before
    )
    layer.fold()  # a second time changes nothing
    torch.testing.assert_close(layer(x), before, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_zero_initialised_convolutions_pass_their_input_on() -> None:
    x = torch.rand(1, 4, 6, 6)
    blocks = residual_convs(2, 4, 8)
    assert torch.equal(blocks(x), x)
    blocks[1].reduce.bn.weight.fill_(1)
    assert not torch.allclose(blocks(x), x)
    assert len(residual_convs(0, 4, 8)) == 0
    assert zero_init(ConvNorm(4, 4, 1))(x).abs().max() == 0


def test_channels_last_blocks_receive_the_channels_in_the_last_axis() -> None:
    x = torch.rand(2, 4, 3, 5)
    assert torch.equal(ChannelsLast([nn.Identity(), nn.Identity()])(x), x)
    norm = nn.LayerNorm(4)
    expected = norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    layer = ChannelsLast([norm])
    assert torch.equal(layer(x), expected)
    assert [name for name, _ in layer.named_children()] == ["1"]


def test_resizing_to_the_same_size_returns_the_input() -> None:
    x = torch.rand(1, 2, 4, 6)
    assert resize(x, (4, 6)) is x
    assert resize(x, (8, 3)).shape == (1, 2, 8, 3)


@pytest.mark.parametrize(("height", "width"), [(32, 64), (33, 40), (63, 32)])
def test_images_are_padded_to_multiples_of_32_and_outputs_are_cropped(
    height: int, width: int
) -> None:
    seen = []

    def network(images: torch.Tensor) -> list[torch.Tensor]:
        seen.append(images)
        return [images[:, :1]]

    images = torch.rand(1, 3, height, width)
    (out,) = run_padded(images, network)
    assert torch.equal(out, images[:, :1])
    assert seen[0].shape[-2] % 32 == seen[0].shape[-1] % 32 == 0
    border = images[..., -1:, -1:].expand_as(seen[0][..., height - 1 :, width - 1 :])
    assert torch.equal(seen[0][..., height - 1 :, width - 1 :], border)


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 31, 64)])
def test_images_of_a_different_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"expected \[slice, 3, height, width\]"):
        run_padded(torch.rand(shape), lambda images: [images])
