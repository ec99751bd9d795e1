"""PVTv2 has the names, shapes and attention equations of timm."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rma_mamba.models.baselines.pvt_v2 import PVTv2, ReducedAttention


def test_names_and_shapes_are_those_of_timm() -> None:
    with torch.device("meta"):
        network = PVTv2(64, (3, 4, 18, 3), 0.1)
    state = network.state_dict()
    assert state["patch_embed.proj.weight"].shape == (64, 3, 7, 7)
    assert state["stages.0.blocks.0.attn.kv.weight"].shape == (128, 64)
    assert state["stages.0.blocks.2.attn.sr.weight"].shape == (64, 64, 8, 8)
    assert state["stages.1.downsample.proj.weight"].shape == (128, 64, 3, 3)
    assert state["stages.1.blocks.3.attn.norm.bias"].shape == (128,)
    assert state["stages.2.blocks.17.mlp.dwconv.weight"].shape == (1280, 1, 3, 3)
    assert state["stages.3.norm.weight"].shape == (512,)
    assert "stages.3.blocks.0.attn.sr.weight" not in state
    classifier = 512 * 1000 + 1000
    assert sum(each.numel() for each in state.values()) + classifier == 45_238_696


@settings(deadline=None, max_examples=20)
@given(heads=st.integers(1, 3), reduction=st.sampled_from([1, 2]), height=st.integers(1, 3))
def test_attention_is_softmax_of_scaled_products(heads: int, reduction: int, height: int) -> None:
    torch.manual_seed(heads)
    width, size = 4 * heads, (2, 2 * height, 4)
    attention = ReducedAttention(width, heads, reduction)
    x = torch.randn(*size, width)
    reduced = x
    if attention.sr is not None:
        reduced = attention.norm(attention.sr(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
    queries = attention.q(x).reshape(2, -1, heads, 4).permute(0, 2, 1, 3)
    # timm's order in one linear layer: all keys, then all values
    keys, values = attention.kv(reduced).reshape(2, -1, 2, heads, 4).permute(2, 0, 3, 1, 4)
    weights = (queries @ keys.transpose(-2, -1) / math.sqrt(4)).softmax(-1)
    expected = attention.proj((weights @ values).transpose(1, 2).reshape(*size, width))
    torch.testing.assert_close(attention(x), expected, atol=1e-5, rtol=1e-5)


def test_maps_have_a_quarter_an_eighth_and_a_sixteenth_of_the_resolution() -> None:
    maps = PVTv2(4, (1, 1, 1, 1), 0.0)(torch.rand(1, 3, 64, 32))
    assert [tuple(each.shape) for each in maps] == [(1, 4, 16, 8), (1, 8, 8, 4), (1, 20, 4, 2)]
