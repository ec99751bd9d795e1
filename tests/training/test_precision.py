"""Precision "auto" is mixed where the device has instructions for bfloat16, and single elsewhere."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from rma_mamba.training import train
from rma_mamba.training.config import TrainingConfig
from rma_mamba.training.precision import lightning_precision


def chosen(precision: str = "auto", accelerator: str = "auto") -> str:
    return lightning_precision(TrainingConfig(precision=precision, accelerator=accelerator))  # type: ignore[arg-type]


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """The instructions of a processor, without a GPU."""
    instructions: dict[str, bool] = {"avx2": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    return instructions


@pytest.mark.parametrize("name", ["avx512_bf16", "amx_bf16"])
def test_a_processor_with_bfloat16_instructions_trains_in_mixed_precision(processor, name) -> None:
    assert chosen() == "32-true"
    processor[name] = False
    assert chosen() == "32-true"
    processor[name] = True
    assert chosen() == chosen(accelerator="cpu") == "bf16-mixed"


def test_a_precision_in_the_recipe_is_kept(processor) -> None:
    assert chosen("bf16-mixed") == "bf16-mixed"
    processor["avx512_bf16"] = True
    assert chosen("32-true") == "32-true"


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_gpu_that_only_emulates_bfloat16_trains_in_single_precision(
    processor, monkeypatch: pytest.MonkeyPatch, native: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation=True: native or including_emulation,
    )
    assert chosen() == chosen(accelerator="gpu") == expected
    assert chosen(accelerator="cpu") == "32-true"


def test_an_apple_gpu_trains_in_single_precision(processor, monkeypatch) -> None:
    processor["avx512_bf16"] = True
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert chosen() == chosen(accelerator="mps") == "32-true"


def test_a_release_of_pytorch_that_cannot_tell_means_single_precision(
    processor, monkeypatch
) -> None:
    processor["avx512_bf16"] = True
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert chosen() == "32-true"


def test_bundled_recipes_leave_the_precision_to_the_device() -> None:
    for path in (files("rma_mamba.training") / "recipes").iterdir():
        training = tomllib.loads(path.read_text()).get("training", {})
        assert training.get("precision", "auto") == "auto", path.name


@pytest.mark.parametrize("clip_norm", ["none", "1.0"])
def test_mixed_precision_that_the_device_suggests_trains(
    processor, recipe: Path, tmp_path: Path, clip_norm: str
) -> None:
    """Lightning does not clip gradients in mixed precision if the optimiser is fused."""
    processor["avx512_bf16"] = True
    settings = [
        "training.epochs=1",
        "data.slices_per_epoch=8",
        "training.precision=auto",
        f"training.clip_norm={clip_norm}",
    ]
    train(recipe, settings, quiet=True)
    assert '"precision": "bf16-mixed"' in (tmp_path / "run" / "versions.json").read_text()
