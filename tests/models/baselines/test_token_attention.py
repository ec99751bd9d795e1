"""Attention of TransNetR and TransResUNet: over the tokens of a slice, or over the batch as released."""

import pytest
import torch
from torch import Tensor, nn

from rma_mamba.models import create_model
from rma_mamba.models.baselines.token_attention import AttentionOver, TokenTransformer

SMALL = {
    "transnetr": {"width": 4, "hidden": 8, "encoder_width": 4, "encoder_depths": (1, 1, 1, 1)},
    "transresunet": {"width": 8, "hidden": 8, "encoder_width": 4, "encoder_depths": (1, 1, 1)},
}


def transformer(over: AttentionOver, channels: int = 4, patch: int = 1) -> TokenTransformer:
    torch.manual_seed(0)
    made = TokenTransformer(channels, patch=patch, heads=2, hidden=8, over=over)
    return made.eval()


def seen_by_first_place(made: TokenTransformer, slices: int) -> Tensor:
    """Which positions [slice, height, width] affect the first position of the first slice."""
    x = torch.randn(slices, 4, 4, 4, requires_grad=True)
    made(x)[0, :, 0, 0].square().sum().backward()
    assert x.grad is not None
    return x.grad.abs().sum(1) > 0


@pytest.mark.parametrize("patch", [1, 2])
def test_a_token_attends_to_its_own_slice_only(patch: int) -> None:
    seen = seen_by_first_place(transformer("tokens", patch=patch), slices=2)
    assert seen[0].all()
    assert not seen[1].any()


def test_attention_over_tokens_is_permutation_equivariant() -> None:
    made, x = transformer("tokens"), torch.randn(2, 4, 4, 8)
    with torch.inference_mode():
        torch.testing.assert_close(made(x.roll(3, -1)), made(x).roll(3, -1), atol=1e-5, rtol=1e-5)


def test_a_patch_of_four_positions_is_one_token() -> None:
    made, x = transformer("tokens", patch=2), torch.randn(1, 4, 4, 4)
    with torch.inference_mode():
        out = made(x)
        tokens = x.reshape(1, 4, 2, 2, 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(1, 4, 16)
        expected = made.layers(tokens).reshape(1, 2, 2, 4, 2, 2).permute(0, 3, 1, 4, 2, 5)
    torch.testing.assert_close(out, expected.reshape(1, 4, 4, 4), atol=1e-5, rtol=1e-5)


def test_over_the_batch_it_is_the_released_layer() -> None:
    made, x = (
        transformer("batch", channels=4),
        torch.randn(3, 4, 2, 2),
    )  # as many positions as channels
    released = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(4, 2, 8), num_layers=2, enable_nested_tensor=False
    ).eval()
    state = {f"layers.{name}": tensor for name, tensor in made.layers.state_dict().items()}
    released.load_state_dict(state)
    with torch.inference_mode():
        expected = released(x.reshape(3, 4, 4)).reshape(x.shape)
        torch.testing.assert_close(made(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", list(SMALL))
def test_as_released_a_mask_depends_on_the_other_slices_of_the_batch(name: str) -> None:
    torch.manual_seed(0)
    images = torch.rand(3, 3, 64, 64)
    differences = []
    for over in ("tokens", "batch"):
        network = create_model(name, **SMALL[name], attention_over=over)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = (
                    None  # take the statistics of these images, so that maps are not flat
                )
        with torch.no_grad():
            network(images)
            network.eval()
            together, alone = network(images)[-1][:1], network(images[:1])[-1]
        differences.append((together - alone).abs().max())
    assert differences[0] < 1e-4
    assert differences[1] > 1e-3


@pytest.mark.parametrize("name", list(SMALL))
def test_weights_fit_both_types_of_attention(name: str) -> None:
    networks = [
        create_model(name, **SMALL[name], attention_over=over) for over in ("tokens", "batch")
    ]
    shapes = [{n: x.shape for n, x in each.state_dict().items()} for each in networks]
    assert shapes[0] == shapes[1]
