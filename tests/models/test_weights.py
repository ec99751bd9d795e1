"""Weights files of three types load, and a file that does not match changes nothing."""

import contextlib
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rma_mamba.errors import WeightsError
from rma_mamba.models import create_model, load_weights
from rma_mamba.models.weights import encode_checkpoint, read_checkpoint

TINY = {"width": 8, "depths": (1, 1, 1, 1), "decoder_width": 8}
OLD_NAMES = {
    "patch_embed.0.": "patch_embed.proj.",
    ".norm.": ".ln_1.",
    ".op.": ".self_attention.",
    "classifier.head.": "head.",
}


def network() -> nn.Module:
    return create_model("rma-mamba-n", **TINY)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def imagenet_state(model: nn.Module) -> dict[str, Tensor]:
    """The content of a VMamba classifier file: no output norms, but a classifier."""
    state = {
        name: tensor + 1
        for name, tensor in model.encoder.state_dict().items()
        if not name.startswith("outnorm")
    }
    return {
        **state,
        "classifier.norm.weight": torch.ones(64),
        "classifier.head.bias": torch.ones(9),
    }


def test_a_released_checkpoint_loads_into_the_whole_network(tmp_path: Path) -> None:
    source, target = network(), network()
    torch.save(source.state_dict(), tmp_path / "released.pth")
    assert not same(source.state_dict(), target.state_dict())
    load_weights(target, tmp_path / "released.pth")
    assert same(source.state_dict(), target.state_dict())


@pytest.mark.parametrize("key", ["model", "model_ema"])
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("channel_first", [False, True])
def test_an_imagenet_checkpoint_loads_into_the_encoder(
    tmp_path: Path, key: str, old: bool, channel_first: bool
) -> None:
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = imagenet_state(model)
    expected = {f"encoder.{name}": tensor for name, tensor in state.items()}
    if channel_first:
        linear = ("in_proj.weight", "out_proj.weight", "fc1.weight", "fc2.weight")
        state = {n: x[..., None, None] if n.endswith(linear) else x for n, x in state.items()}
    for new, former in OLD_NAMES.items() if old else ():
        state = {
            name if name.startswith("classifier.norm") else name.replace(new, former): tensor
            for name, tensor in state.items()
        }
    torch.save({key: state, "epoch": 262}, tmp_path / "imagenet.pth")
    load_weights(model, tmp_path / "imagenet.pth")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, expected.get(name, before[name])), name


def test_the_configuration_in_an_imagenet_file_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("yacs.config")
    module.CfgNode = type("CfgNode", (dict,), {"__module__": "yacs.config"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "yacs", ModuleType("yacs"))
    monkeypatch.setitem(sys.modules, "yacs.config", module)
    model = network()
    config = module.CfgNode(MODEL=module.CfgNode(NAME="vssm"))
    torch.save({"model": imagenet_state(model), "config": config}, tmp_path / "imagenet.pth")
    monkeypatch.delitem(sys.modules, "yacs.config")
    before = model.encoder.patch_embed[0].bias.clone()
    load_weights(model, tmp_path / "imagenet.pth")
    assert torch.equal(model.encoder.patch_embed[0].bias, before + 1)


@pytest.mark.parametrize("prefix", ["model.", "module.", "model.module."])
def test_a_training_checkpoint_loads_as_it_is(tmp_path: Path, prefix: str) -> None:
    source, target = network(), network()
    state = {f"{prefix}{name}": tensor for name, tensor in source.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "best.ckpt")
    load_weights(target, tmp_path / "best.ckpt")
    assert same(source.state_dict(), target.state_dict())


def test_a_file_of_this_package_describes_its_network(tmp_path: Path) -> None:
    model = network()
    recipe = {"size": 192, "spacing_mm": 2.0}
    path = tmp_path / "own.safetensors"
    path.write_bytes(
        encode_checkpoint(model.state_dict(), model="rma-mamba-n", settings=TINY, recipe=recipe)
    )
    checkpoint = read_checkpoint(path)
    assert (checkpoint.model, checkpoint.recipe) == ("rma-mamba-n", recipe)
    copied = create_model(checkpoint.model, **checkpoint.settings)
    load_weights(copied, path)
    assert same(copied.state_dict(), model.state_dict())


def test_equal_weights_are_equal_bytes(tmp_path: Path) -> None:
    state = network().state_dict()
    provenance = {"recipe": {"run": {"seed": 1}}, "data": {"train": {"MR": ["0a"]}}}
    contents = {
        encode_checkpoint(state, model="m", settings={}, recipe={}, provenance=provenance)
        for _ in range(8)  # safetensors writes metadata in random order
    }
    assert len(contents) == 1
    path = tmp_path / "own.safetensors"
    path.write_bytes(contents.pop())
    found = read_checkpoint(path)
    assert found.provenance == provenance
    assert same(found.state, state)


def test_a_half_precision_file_is_half_as_large_and_loads_as_float32(tmp_path: Path) -> None:
    model = network()
    state = model.state_dict()
    content = encode_checkpoint(state, model="m", settings={}, recipe={}, dtype=torch.float16)
    assert len(content) < 0.7 * len(encode_checkpoint(state, model="m", settings={}, recipe={}))
    (tmp_path / "half.safetensors").write_bytes(content)
    load_weights(model, tmp_path / "half.safetensors")
    assert {x.dtype for x in model.parameters()} == {torch.float32}


def refuse(model: nn.Module, path: Path, message: str) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(model, path)
    assert "\n" not in str(caught.value)
    assert same(before, model.state_dict())


def test_missing_unexpected_and_wrongly_shaped_parameters_are_listed(tmp_path: Path) -> None:
    state = network().state_dict()
    state["odd.name"] = state.pop("out_conv1.bias")
    state["out_conv1.weight"] = torch.zeros(1, 9, 1, 1)
    torch.save(state, tmp_path / "odd.pth")
    refuse(
        network(),
        tmp_path / "odd.pth",
        r"missing: out_conv1.bias; unexpected: odd.name; wrong shape: "
        r"out_conv1.weight \[1, 9, 1, 1\] instead of \[1, 8, 1, 1\]",
    )


def test_parts_to_train_from_scratch_keep_their_values(tmp_path: Path) -> None:
    source = create_model("rma-mamba-n", **TINY, half_width=0)
    torch.save(source.state_dict(), tmp_path / "without.pth")
    model = network()
    refuse(model, tmp_path / "without.pth", "missing: .*translayer0_st")
    before = model.attention0.ra_conv3.weight.clone()
    fresh = ["attention0.", "local0.", "top_down0.", "translayer0_st."]
    load_weights(model, tmp_path / "without.pth", fresh=fresh)
    assert torch.equal(model.attention0.ra_conv3.weight, before)
    assert torch.equal(model.out_conv1.weight, source.out_conv1.weight)


def test_the_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    torch.save(create_model("rma-mamba-n", width=16).state_dict(), tmp_path / "wide.pth")
    refuse(network(), tmp_path / "wide.pth", "and [0-9]+ more")


@pytest.mark.parametrize(
    ("own", "foreign", "variant"),
    [("vmamba-t", "vmamba-t-s1l8", "s2l5"), ("vmamba-t-s1l8", "vmamba-t", "s1l8")],
)
def test_both_vmamba_t_load_and_the_wrong_one_is_named(
    tmp_path: Path, own: str, foreign: str, variant: str
) -> None:
    source, path = create_model(own), tmp_path / "imagenet.pth"
    state = {n: x for n, x in source.state_dict().items() if not n.startswith("outnorm")}
    torch.save({"model": {**state, "classifier.head.bias": torch.ones(9)}}, path)
    model = create_model(f"rma-{own[1:]}")
    load_weights(model, path)
    assert torch.equal(model.encoder.layers[2].blocks[4].op.Ds, source.layers[2].blocks[4].op.Ds)
    with torch.device("meta"):
        other = create_model(f"rma-{foreign[1:]}")
    with pytest.raises(WeightsError, match=f"VMamba-T {variant}: set model.name=rma-{own[1:]},"):
        load_weights(other, path)


@pytest.mark.parametrize("name", ["lost.pth", "lost.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    refuse(network(), tmp_path / name, f"weights file {name} does not exist")


@pytest.mark.parametrize("name", ["broken.pth", "broken.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", bytes(200)])
def test_a_corrupt_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    refuse(network(), tmp_path / name, "corrupt or not a weights file")


def test_a_truncated_file_of_this_package_is_refused(tmp_path: Path) -> None:
    content = encode_checkpoint(network().state_dict(), model="m", settings={}, recipe={})
    (tmp_path / "cut.safetensors").write_bytes(content[:-100])
    refuse(network(), tmp_path / "cut.safetensors", "corrupt")


def test_a_changed_bit_is_detected_by_the_digest(tmp_path: Path) -> None:
    content = encode_checkpoint(network().state_dict(), model="m", settings={}, recipe={})
    (tmp_path / "own.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(WeightsError, match="corrupt"):
        read_checkpoint(tmp_path / "own.safetensors")


class Harmful:
    """An object whose unpickling would run code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("harm",))


def test_a_pickle_with_code_is_never_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"model": Harmful()}, tmp_path / "harm.pth")
    refuse(network(), tmp_path / "harm.pth", r"Python object \(\S*print\), which could run code")
    assert capsys.readouterr().out == ""


def test_foreign_safetensors_load_but_have_no_metadata(tmp_path: Path) -> None:
    model, path = network(), tmp_path / "foreign.safetensors"
    save_file({name: tensor + 1 for name, tensor in model.state_dict().items()}, path)
    with pytest.raises(WeightsError, match="without the metadata of this package"):
        read_checkpoint(path)
    load_weights(model, path)


@pytest.mark.parametrize("described", ["[1]", "null", "3", "[" * 100_000])
def test_invalid_metadata_is_refused(tmp_path: Path, described: str) -> None:
    path = tmp_path / "w.safetensors"
    state = {"x": torch.zeros(2)}
    content = encode_checkpoint(state, model="unet", settings={}, recipe={})
    path.write_bytes(content)
    with safe_open(path, framework="pt") as file:
        metadata = {**file.metadata(), "settings": described}
    save_file(state, path, metadata)
    with pytest.raises(WeightsError, match="corrupt"):
        read_checkpoint(path)


@given(zipped=st.booleans(), changes=st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255))))
@settings(max_examples=100, deadline=None)
def test_a_corrupt_pickle_raises_a_typed_error_or_loads(
    tmp_path_factory: pytest.TempPathFactory, zipped: bool, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("pickle") / "w.pth"
    model = nn.Linear(2, 2)
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=zipped)
    content = bytearray(path.read_bytes())
    for at, value in changes:
        content[at] = value
    path.write_bytes(bytes(content))
    with warnings.catch_warnings(), contextlib.suppress(WeightsError):
        warnings.simplefilter("ignore")
        load_weights(model, path)
