"""Through-plane scans start as an identity, and carry context between the slices of one scan only."""

from typing import Any

import pytest
import torch
from torch import nn

from rma_mamba.errors import ConfigError
from rma_mamba.models import create_model, load_weights
from rma_mamba.models.through_plane import ThroughPlaneBlock, ThroughPlaneScan
from rma_mamba.models.weights import encode_checkpoint
from tiny import SETTINGS

CONTEXT: dict[str, Any] = {
    "input_channels": 4,
    "through_plane": (0, 1, 1, 1),
    "decoder_through_plane": (0, 1, 1, 1),
}
SLICES = 5


def network(*, active: bool) -> nn.Module:
    """A small network in evaluation mode whose through-plane scans have an effect, or none yet."""
    torch.manual_seed(0)
    model = create_model("rma-mamba-z", **{**SETTINGS, **CONTEXT}).eval()
    for module in model.modules():
        if active and isinstance(module, ThroughPlaneBlock):
            nn.init.normal_(module.op.out_proj.weight)
    return model


def images(slices: int = SLICES) -> torch.Tensor:
    return torch.rand(slices, 4, 64, 64, generator=torch.Generator().manual_seed(1))


def test_weights_of_a_2d_network_give_the_same_masks_at_first(tmp_path) -> None:
    torch.manual_seed(2)
    flat = create_model("rma-mamba-n", **SETTINGS).eval()
    path = tmp_path / "flat.safetensors"
    path.write_bytes(
        encode_checkpoint(flat.state_dict(), model="rma-mamba-n", settings={}, recipe={})
    )
    deep = network(active=False)
    load_weights(deep, path)
    with torch.inference_mode():
        expected, found = flat(images()[:, :3])[-1], deep(images())[-1]
    assert torch.equal(found, expected)
    with torch.inference_mode():
        assert not torch.equal(network(active=True)(images())[-1], found)


def test_a_single_slice_is_segmented_as_without_context() -> None:
    silent, active = network(active=False), network(active=True)
    with torch.inference_mode():
        assert torch.equal(active(images(1))[-1], silent(images(1))[-1])
        assert not torch.equal(active(images(2))[-1], silent(images(2))[-1])


def test_every_slice_depends_on_every_other_of_its_scan() -> None:
    model = network(active=True)
    for seen in range(SLICES):
        stack = images().requires_grad_()
        model(stack)[-1][seen].sum().backward()
        assert stack.grad is not None
        assert (stack.grad.abs().amax((1, 2, 3)) > 0).all()


def test_scans_of_one_batch_do_not_mix() -> None:
    model = network(active=True)
    one, other = images(), images().flip(0)
    with torch.inference_mode():
        together = model(torch.stack([one, other]))[-1]
        apart = torch.cat([model(one)[-1], model(other)[-1]])
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=1e-4)
    assert together.shape == (2 * SLICES, 1, 64, 64)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(together, apart.flip(0), atol=1e-4, rtol=1e-4)


def test_the_order_of_the_slices_matters() -> None:
    model = network(active=True)
    with torch.inference_mode():
        upright, reversed_ = model(images())[-1], model(images().flip(0))[-1].flip(0)
    assert not torch.allclose(upright, reversed_, atol=1e-3)


@pytest.mark.parametrize("states", [1, 3])
def test_both_backends_compute_the_same_scan_and_gradients(
    states: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(3)
    scan = ThroughPlaneScan(16, states)
    features = torch.rand(2, SLICES, 6, 16)
    results = []
    for backend in ("reference", "numba"):
        monkeypatch.setenv("RMA_MAMBA_BACKEND", backend)
        scan.zero_grad()
        inputs = features.clone().requires_grad_()
        y = scan(inputs)
        y.square().sum().backward()
        results.append([y.detach(), inputs.grad, *(each.grad for each in scan.parameters())])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
        assert expected.abs().max() > 0


def test_images_without_the_modality_plane_are_an_error() -> None:
    with pytest.raises(ConfigError, match=r"expected \[slice, 4, height, width\]"):
        network(active=False)(images()[:, :3])
