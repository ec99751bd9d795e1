"""ImageNet files load into the encoders of the networks that use them, and change nothing else."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rma_mamba.errors import WeightsError
from rma_mamba.models import create_model, load_weights

RESNET = {"width": 8, "hidden": 8, "encoder_width": 4}
SMALL = {
    "transnetr": {**RESNET, "encoder_depths": (1, 1, 1, 1)},
    "transresunet": {**RESNET, "encoder_depths": (1, 1, 1)},
    "pvtformer": {"width": 4, "encoder_width": 4, "encoder_depths": (1, 1, 2, 1)},
    "double-unet": {"width": 16},
}
HEADS = {
    "transnetr": {"fc.weight": torch.ones(9, 128), "fc.bias": torch.ones(9)},
    "transresunet": {"fc.weight": torch.ones(9, 128), "fc.bias": torch.ones(9)},
    "pvtformer": {"head.weight": torch.ones(9, 32), "head.bias": torch.ones(9)},
    "double-unet": {"classifier.0.weight": torch.ones(9, 4), "classifier.6.bias": torch.ones(9)},
}


def network(name: str) -> nn.Module:
    return create_model(name, **SMALL[name])


def imagenet_state(name: str) -> dict[str, Tensor]:
    """An ImageNet file for the encoder of a network: same names, different values, and a classification head."""
    encoder = network(name).encoder.state_dict()  # type: ignore[union-attr]
    return {**{n: tensor + 1 for n, tensor in encoder.items()}, **HEADS[name]}


def official(name: str) -> str:
    """A parameter name of PVTv2 in timm, as in the file of its authors."""
    name = re.sub(r"^patch_embed\.", "patch_embed1.", name)
    name = name.replace(".dwconv.", ".dwconv.dwconv.")
    stage = re.match(r"stages\.(\d)\.(downsample|blocks|norm)\.", name)
    if stage is None:
        return name
    part = {"downsample": "patch_embed", "blocks": "block", "norm": "norm"}[stage[2]]
    return f"{part}{int(stage[1]) + 1}.{name.removeprefix(stage[0])}"


def check_only_the_encoder_changed(
    model: nn.Module, before: dict[str, Tensor], given: dict[str, Tensor]
) -> None:
    for name, tensor in model.state_dict().items():
        expected = given.get(name.removeprefix("encoder."), before[name])
        if not name.startswith("encoder."):
            expected = before[name]
        assert torch.equal(tensor, expected), name


def clone(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("name", list(SMALL))
@pytest.mark.parametrize("prefix", ["", "module."])
def test_an_imagenet_file_changes_the_encoder_only(tmp_path: Path, name: str, prefix: str) -> None:
    model, state = network(name), imagenet_state(name)
    before = clone(model)
    torch.save({f"{prefix}{n}": tensor for n, tensor in state.items()}, tmp_path / "imagenet.pth")
    load_weights(model, tmp_path / "imagenet.pth")
    check_only_the_encoder_changed(model, before, state)
    assert not torch.equal(next(model.encoder.parameters()), before[_first(model)])  # type: ignore[union-attr]


def _first(model: nn.Module) -> str:
    return "encoder." + next(iter(model.encoder.state_dict()))  # type: ignore[union-attr]


def test_safetensors_files_are_supported(tmp_path: Path) -> None:
    model, state = network("transnetr"), imagenet_state("transnetr")
    before = clone(model)
    save_file(state, tmp_path / "imagenet.safetensors")
    load_weights(model, tmp_path / "imagenet.safetensors")
    check_only_the_encoder_changed(model, before, state)


def test_a_pvt_file_of_the_authors_loads_like_one_of_timm(tmp_path: Path) -> None:
    model, state = network("pvtformer"), imagenet_state("pvtformer")
    before = clone(model)
    released = {official(name): tensor for name, tensor in state.items()}
    for name in ("patch_embed1.proj.weight", "block1.0.attn.kv.weight", "norm4.bias"):
        assert name in released
    for name in ("patch_embed2.norm.weight", "block3.1.mlp.dwconv.dwconv.weight"):
        assert name in released
    torch.save(released, tmp_path / "pvt_v2.pth")
    load_weights(model, tmp_path / "pvt_v2.pth")
    check_only_the_encoder_changed(model, before, state)


def test_a_resnet_of_four_layers_loads_into_an_encoder_of_three(tmp_path: Path) -> None:
    state, model = imagenet_state("transnetr"), network("transresunet")
    before = clone(model)
    assert any(name.startswith("layer4.") for name in state)
    torch.save(state, tmp_path / "resnet50.pth")
    load_weights(model, tmp_path / "resnet50.pth")
    check_only_the_encoder_changed(model, before, state)


def test_an_old_file_without_batch_counters_loads(tmp_path: Path) -> None:
    model, state = network("transnetr"), imagenet_state("transnetr")
    state = {n: x for n, x in state.items() if not n.endswith("num_batches_tracked")}
    before = clone(model)
    torch.save(state, tmp_path / "resnet50.pth")
    load_weights(model, tmp_path / "resnet50.pth")
    check_only_the_encoder_changed(model, before, state)


def refuse(model: nn.Module, path: Path, message: str) -> None:
    before = clone(model)
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(model, path)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(before[n], tensor) for n, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("transnetr", "layer3.0.conv2.weight"),
        ("transresunet", "bn1.bias"),
        ("pvtformer", "stages.1.blocks.0.attn.q.bias"),
        ("double-unet", "features.34.weight"),
    ],
)
def test_a_file_with_a_missing_parameter_is_refused(tmp_path: Path, name: str, lost: str) -> None:
    state = imagenet_state(name)
    del state[lost]
    torch.save(state, tmp_path / "part.pth")
    refuse(network(name), tmp_path / "part.pth", rf"missing: encoder\.{re.escape(lost)}\)")


def test_a_deeper_or_wider_encoder_is_refused(tmp_path: Path) -> None:
    settings = {**SMALL["transnetr"], "encoder_depths": (1, 1, 2, 1)}
    deeper = create_model("transnetr", **settings).encoder.state_dict()  # type: ignore[union-attr]
    torch.save(deeper, tmp_path / "deeper.pth")
    refuse(network("transnetr"), tmp_path / "deeper.pth", r"unexpected: encoder\.layer3\.1\.conv1")
    wide = create_model("double-unet", width=32).encoder.state_dict()  # type: ignore[union-attr]
    torch.save(wide, tmp_path / "wide.pth")
    refuse(network("double-unet"), tmp_path / "wide.pth", r"wrong shape: encoder\.features\.0")


def test_a_different_encoder_is_refused(tmp_path: Path) -> None:
    torch.save(imagenet_state("double-unet"), tmp_path / "vgg19.pth")
    refuse(network("transnetr"), tmp_path / "vgg19.pth", r"unexpected: .*features\.0\.weight")


def test_the_comparison_can_fail() -> None:
    model, state = network("double-unet"), imagenet_state("double-unet")
    before = clone(model)
    check_only_the_encoder_changed(model, before, {})
    with pytest.raises(AssertionError, match=r"encoder\.features"):
        check_only_the_encoder_changed(model, before, state)
    with torch.no_grad():
        model.decoder.head.bias.add_(1)  # type: ignore[union-attr]
    with pytest.raises(AssertionError, match=r"decoder\.head\.bias"):
        check_only_the_encoder_changed(model, before, {})
