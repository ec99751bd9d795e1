"""ImageNet files of VMamba v0 and the authors' files load into the networks with VMamba v0 blocks."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rma_mamba.errors import WeightsError
from rma_mamba.models import create_model, load_weights
from rma_mamba.models.baselines.vss_v0 import VSSEncoder
from rma_mamba.models.weights import encode_checkpoint

WIDTH = 16
TINY = {
    "vm-unet": {"width": WIDTH, "depths": (1, 1, 2, 1), "decoder_depths": (1, 2, 1, 1)},
    "vm-unet-v2": {"width": WIDTH, "depths": (1, 1, 2, 1), "decoder_width": 4},
    "mamba-unet": {"width": WIDTH, "depths": (1, 1, 2, 1)},
    "ultralight-vm-unet": {"widths": (4, 8, 8, 8, 12, 16)},
}
WITH_ENCODER = sorted(set(TINY) - {"ultralight-vm-unet"})

# From our names to those in the authors' files, one after the other.
AUTHORS = {
    "vm-unet": [(r"^encoder\.", ""), (r"^", "vmunet.")],
    "mamba-unet": [(r"^encoder\.", ""), (r"^", "mamba_unet.")],
    "vm-unet-v2": [
        (r"^encoder\.", "vmunet."),
        (r"^channels\.(\d)", lambda found: f"ca_{int(found[1]) + 1}"),
        (r"^positions\.(\d)", lambda found: f"sa_{int(found[1]) + 1}"),
        (r"^reduce\.(\d)", lambda found: f"Translayer_{int(found[1]) + 1}"),
        (r"^fuse\.(\d)", lambda found: f"sdi_{int(found[1]) + 1}"),
        (r"^deconvs\.(\d)", lambda found: f"deconv{int(found[1]) + 2}"),
        (r"^last\.", "deconv6."),
        (r"^heads\.", "seg_outs."),
    ],
    "ultralight-vm-unet": [
        (r"^down\.(\d)", lambda found: f"encoder{int(found[1]) + 1}.0"),
        (r"^up\.(\d)", lambda found: f"decoder{int(found[1]) + 1}.0"),
        (r"^down_norms\.(\d)", lambda found: f"ebn{int(found[1]) + 1}"),
        (r"^up_norms\.(\d)", lambda found: f"dbn{int(found[1]) + 1}"),
        (r"^bridge\.channels\.(\d)", lambda found: f"scab.catt.att{int(found[1]) + 1}"),
        (r"^bridge\.neighbours\.", "scab.catt.get_all_att."),
        (r"^bridge\.positions\.", "scab.satt.shared_conv2d.0."),
        (r"^head\.", "final."),
    ],
}


def network(name: str) -> nn.Module:
    return create_model(name, **TINY[name])


def copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def imagenet(depths: tuple[int, int, int, int], width: int = WIDTH) -> dict[str, Tensor]:
    """The content of a VMamba v0 classifier file."""
    state = {name: x + 1 for name, x in VSSEncoder(width, depths, 0.0).state_dict().items()}
    norm = {f"norm.{each}": torch.rand(8 * width) for each in ("weight", "bias")}
    return {**state, **norm, "head.weight": torch.ones(9, 8 * width), "head.bias": torch.ones(9)}


@pytest.mark.parametrize("depths", [(1, 1, 2, 1), (2, 2, 9, 2)])
@pytest.mark.parametrize("name", WITH_ENCODER)
def test_an_imagenet_file_loads_into_encoders_of_any_smaller_depth(
    tmp_path: Path, name: str, depths: tuple[int, int, int, int]
) -> None:
    model, state = network(name), imagenet(depths)
    torch.save({"model": state, "epoch": 238}, tmp_path / "vmamba.pth")
    load_weights(model, tmp_path / "vmamba.pth")
    encoder = model.encoder.state_dict()
    assert len(encoder) < len(state)
    for each, tensor in encoder.items():
        assert torch.equal(tensor, state[each]), each


@pytest.mark.parametrize("name", WITH_ENCODER)
def test_decoder_blocks_are_initialised_from_the_mirrored_stage_and_the_rest_keeps_its_values(
    tmp_path: Path, name: str
) -> None:
    model, state = network(name), imagenet((2, 2, 9, 2))
    before = copied(model)
    torch.save({"model": state}, tmp_path / "vmamba.pth")
    load_weights(model, tmp_path / "vmamba.pth")
    mirrored = 0
    for each, tensor in model.state_dict().items():
        block = re.match(r"layers_up\.(\d)\.(blocks\..*)", each)
        if block:
            mirrored += 1
            assert torch.equal(tensor, state[f"layers.{3 - int(block[1])}.{block[2]}"]), each
        elif each.startswith("norm."):
            assert torch.equal(tensor, state[each]), each  # of the deepest map, in Mamba-UNet
        elif not each.startswith("encoder."):
            assert torch.equal(tensor, before[each]), each
    assert (mirrored > 0) == (name != "vm-unet-v2")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (imagenet((1, 1, 1, 1)), "missing: encoder.layers.2.blocks.1"),
        (imagenet((1, 1, 2, 1), width=32), "wrong shape: encoder.patch_embed.proj.weight"),
        (
            {re.sub("self_attention", "op", name): x for name, x in imagenet((1, 1, 2, 1)).items()},
            "unexpected: encoder.layers.0.blocks.0.op",
        ),
        ({"patch_embed.0.weight": torch.ones(1)}, "unexpected: encoder.patch_embed.0.weight"),
        ({"layers.0.blocks.0.ln_1.weight": torch.ones(16)}, "unexpected: layers.0.blocks.0.ln_1"),
    ],
)
@pytest.mark.parametrize("name", WITH_ENCODER)
def test_a_file_that_does_not_match_is_refused_and_changes_nothing(
    tmp_path: Path, name: str, state: dict[str, Tensor], message: str
) -> None:
    model = network(name)
    before = copied(model)
    torch.save({"model": state}, tmp_path / "vmamba.pth")
    with pytest.raises(WeightsError, match=re.escape(message)) as caught:
        load_weights(model, tmp_path / "vmamba.pth")
    assert "\n" not in str(caught.value)
    assert all(torch.equal(tensor, before[each]) for each, tensor in model.state_dict().items())


def test_an_imagenet_file_does_not_match_a_network_without_an_encoder(tmp_path: Path) -> None:
    torch.save({"model": imagenet((1, 1, 1, 1))}, tmp_path / "vmamba.pth")
    with pytest.raises(WeightsError, match="does not match"):
        load_weights(network("ultralight-vm-unet"), tmp_path / "vmamba.pth")


@pytest.mark.parametrize("wrapper", ["", "module."])
@pytest.mark.parametrize("name", sorted(TINY))
def test_files_of_the_authors_load_into_the_whole_network(
    tmp_path: Path, name: str, wrapper: str
) -> None:
    source, target = network(name), network(name)
    state = {}
    for each, tensor in source.state_dict().items():
        for ours, theirs in AUTHORS[name]:
            each = re.sub(ours, theirs, each)
        state[wrapper + each] = tensor
    assert not set(state) & set(source.state_dict())
    torch.save(state, tmp_path / "released.pth")
    load_weights(target, tmp_path / "released.pth")
    for each, tensor in target.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[each]), each


@pytest.mark.parametrize("name", sorted(TINY))
def test_files_of_this_package_load_as_they_were_written(tmp_path: Path, name: str) -> None:
    source, target = network(name), network(name)
    written = encode_checkpoint(source.state_dict(), model=name, settings=TINY[name], recipe={})
    (tmp_path / "own.safetensors").write_bytes(written)
    load_weights(target, tmp_path / "own.safetensors", fresh=("final_conv.",))
    for each, tensor in target.state_dict().items():
        fresh = each.startswith("final_conv.")
        assert torch.equal(tensor, source.state_dict()[each]) is not fresh, each
