"""The network gives the outputs of the released one and accepts images of any size."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from deterministic import filled, image
from rma_mamba.errors import ConfigError
from rma_mamba.models import create_model
from rma_mamba.models.rma_mamba_config import RMAMambaConfig
from rma_mamba.training.losses import segmentation_loss

GOLDEN = Path(__file__).parents[1] / "golden" / "rma_mamba_t.npz"
TOLERANCE = 1e-4  # on logits of size 1 to 10, float32, other order of summation


@pytest.fixture(scope="module")
def tiny() -> nn.Module:
    torch.manual_seed(0)
    return create_model("rma-mamba-n", width=8, depths=(1, 1, 1, 1), decoder_width=8).eval()


@torch.inference_mode()
def test_outputs_are_those_of_the_released_network() -> None:
    golden = np.load(GOLDEN)
    model = filled(create_model("rma-mamba-t"))
    maps = model.maps(image(7))
    steps = {"a4": 1, "a3": 1, "a2": 1, "a1": 2}
    for (name, step), logits in zip(steps.items(), maps, strict=True):
        np.testing.assert_allclose(logits[..., ::step, ::step], golden[name], atol=TOLERANCE)
    prediction = model(image(7))[-1]
    np.testing.assert_allclose(prediction[..., ::8, ::8], golden["prediction"], atol=TOLERANCE)
    means = [each.mean((2, 3)) for each in model.encoder(image(7))]
    for level, mean in enumerate(means, start=1):
        np.testing.assert_allclose(mean, golden[f"f{level}_mean"], atol=TOLERANCE)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(maps[0] + 1e-3, golden["a4"], atol=TOLERANCE)


@torch.inference_mode()
def test_the_loss_is_that_of_the_paper() -> None:
    maps = filled(create_model("rma-mamba-t"))(image(7))
    label = (image(8, (1, 1, 256, 256)) > 0.5).float()
    assert float(segmentation_loss(maps, label)) == pytest.approx(
        float(np.load(GOLDEN)["loss"]), abs=1e-4
    )


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("rma-mamba-t", "17ac53c93934e06139dfe3b30b074be23ecc64e26eb6c076a2dde924f3c1e022"),
        ("rma-mamba-s", "2170a23926719559a690a80eb07147ee43ea126256f3fc736b1e002313e84a2a"),
    ],
)
def test_parameters_are_named_as_in_the_released_networks(name: str, digest: str) -> None:
    with torch.device("meta"):
        state = create_model(name).state_dict()
    names = sorted((key, list(tensor.shape)) for key, tensor in state.items())
    assert hashlib.sha256(json.dumps(names).encode()).hexdigest() == digest


@given(height=st.integers(32, 75), width=st.integers(32, 75), batch=st.integers(1, 2))
@settings(max_examples=8, deadline=None)
@torch.inference_mode()
def test_any_size_from_32_gives_maps_at_that_size(
    tiny: nn.Module, height: int, width: int, batch: int
) -> None:
    maps = tiny(torch.rand(batch, 3, height, width))
    assert [each.shape for each in maps] == [(batch, 1, height, width)] * 5
    assert all(torch.isfinite(each).all() for each in maps)


@pytest.mark.parametrize(("half_width", "steps"), [(0, (32, 16, 8, 4)), (6, (32, 16, 8, 4, 2))])
@torch.inference_mode()
def test_maps_go_from_coarse_to_fine(half_width: int, steps: tuple[int, ...]) -> None:
    model = create_model("rma-mamba-n", width=8, depths=(1, 1, 1, 1), half_width=half_width).eval()
    sides = [tuple(each.shape[-2:]) for each in model.maps(torch.rand(1, 3, 64, 96))]
    assert sides == [(64 // step, 96 // step) for step in steps]
    assert len(model(torch.rand(1, 3, 64, 96))) == len(steps)


@pytest.mark.parametrize(
    ("changes", "modules"),
    [
        ({"local_blocks": (2, 0, 0)}, ["encoder.half_local.1"]),
        ({"local_blocks": (0, 1, 0)}, ["encoder.layers.0.local.0"]),
        ({"local_blocks": (0, 0, 1)}, ["encoder.layers.1.local.0"]),
        ({"local_blocks": (0, 0, 0, 0, 1)}, ["encoder.layers.3.local.0"]),
        ({"decoder_local": 12}, [f"local{level}.0" for level in range(4)]),
        ({"decoder_local": 12, "half_width": 0}, [f"local{level}.0" for level in range(1, 4)]),
    ],
)
@torch.no_grad()
def test_adding_convolutions_to_trained_weights_changes_nothing_at_first(
    changes: dict[str, Any], modules: list[str]
) -> None:
    small = {"width": 8, "depths": (1, 1, 1, 1), "decoder_width": 8, "half_width": 6}
    none = {"local_blocks": (0, 0, 0), "decoder_local": 0}
    plain = create_model("rma-mamba-n", **{**small, **changes, **none}).eval()
    joined = create_model("rma-mamba-n", **{**small, **none, **changes}).eval()
    missing, unexpected = joined.load_state_dict(plain.state_dict(), strict=False)
    assert unexpected == []
    assert {name.rsplit(".", 3)[0] for name in missing} >= set(modules)
    images = torch.rand(1, 3, 64, 64)
    before = plain(images)
    for one, other in zip(before, joined(images), strict=True):
        torch.testing.assert_close(one, other)
    for module in modules:
        joined.get_submodule(module).reduce.bn.weight.fill_(1)
        assert (joined(images)[-1] - before[-1]).abs().max() > 1e-4
        joined.get_submodule(module).reduce.bn.weight.zero_()


def test_three_values_of_older_weights_files_mean_no_convolutions_at_the_coarsest_maps() -> None:
    older = RMAMambaConfig(local_blocks=(2, 1, 1), local_hidden=[64, 32, 16])
    assert older.local_blocks == (2, 1, 1, 0, 0)
    assert older.local_hidden == (64, 32, 16, 128, 128)
    assert RMAMambaConfig(local_blocks=(0, 0, 0, 1, 2)).local_blocks == (0, 0, 0, 1, 2)
    with pytest.raises(ConfigError, match="local_blocks"):
        create_model("rma-mamba-n", local_blocks=(1, 1))


@pytest.mark.parametrize("half_width", [0, 6])
def test_adding_the_top_down_path_to_trained_weights_changes_nothing_at_first(
    half_width: int,
) -> None:
    small = {"width": 8, "depths": (1, 1, 1, 1), "decoder_width": 8, "half_width": half_width}
    plain = create_model("rma-mamba-n", **small, top_down=False).eval()
    joined = create_model("rma-mamba-n", **small, top_down=True).eval()
    missing, unexpected = joined.load_state_dict(plain.state_dict(), strict=False)
    assert {name.split(".")[0] for name in missing} == {
        f"top_down{level}" for level in range(0 if half_width else 1, 4)
    }
    assert unexpected == []
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for one, other in zip(plain(images), joined(images), strict=True):
            torch.testing.assert_close(one, other)
        for name, parameter in joined.named_parameters():
            if "top_down" in name and "bn.weight" in name:
                parameter.fill_(1)
        changed = [
            (plain(images)[i] - joined(images)[i]).abs().max() > 1e-4
            for i in range(len(plain(images)))
        ]
    assert changed == [False, *[True] * (len(changed) - 1)]


@torch.inference_mode()
def test_images_are_padded_by_replication(tiny: nn.Module) -> None:
    images = torch.rand(1, 3, 40, 50)
    by_hand = nn.functional.pad(images, (0, 14, 0, 24), mode="replicate")
    torch.testing.assert_close(tiny(images)[-1], tiny(by_hand)[-1][..., :40, :50])


@torch.inference_mode()
def test_slices_of_a_batch_are_independent(tiny: nn.Module) -> None:
    images = torch.rand(3, 3, 64, 64)
    together, alone = tiny(images)[-1], torch.cat([tiny(each[None])[-1] for each in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_every_parameter_is_trained(tiny: nn.Module) -> None:
    model = create_model("rma-mamba-n", width=8, depths=(1, 1, 1, 1), extra_blocks=1, drop_path=0)
    sum(each.square().mean() for each in model(torch.rand(2, 3, 64, 64))).backward()
    without = [name for name, each in model.named_parameters() if each.grad is None]
    assert without == []


@pytest.mark.parametrize("shape", [(1, 3, 31, 64), (1, 1, 64, 64), (3, 64, 64)])
def test_images_of_a_different_shape_are_refused(tiny: nn.Module, shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="expected \\[slice, 3, height, width\\]"):
        tiny(torch.rand(shape))


def test_the_whole_network_compiles_as_one_graph_and_computes_the_same(tiny: nn.Module) -> None:
    images = torch.rand(1, 3, 32, 48)
    compiled = torch.compile(tiny.train(), fullgraph=True, backend="aot_eager")
    results = []
    for network in (compiled, tiny):
        torch.manual_seed(0)  # of stochastic depth
        maps = network(images)
        loss = torch.stack([each.square().mean() for each in maps]).sum()
        grads = torch.autograd.grad(loss, list(tiny.parameters()))
        results.append([*(each.detach() for each in maps), *grads])
    for got, expected in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)
    tiny.eval()
