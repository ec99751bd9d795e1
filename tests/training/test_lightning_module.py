"""The module names slices with invalid logits, and treats the encoder as the recipe specifies."""

from importlib.resources import files
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rma_mamba.errors import ConfigError
from rma_mamba.models import create_model
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import train
from rma_mamba.training.config import TrainingConfig
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.lightning_module import SegmentationModule
from rma_mamba.training.optimizer import check_encoder, cosine_schedule, make_optimizer
from rma_mamba.training.recipe_loading import load_recipe
from tiny import SETTINGS


class Poisoned(nn.Module):
    """Finite logits, except for one slice."""

    def forward(self, images: Tensor) -> list[Tensor]:
        logits = images[:, :1].clone()
        logits[2, 0, 0, 0] = torch.nan
        return [logits]


def test_the_slice_with_logits_that_are_not_finite_is_named(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_recipe(recipe)
    data = SliceDataModule(settings)
    data.setup("fit")
    monkeypatch.setattr(SegmentationModule, "_data", data)
    batch = next(iter(data.train_dataloader()))
    name = data.train.describe(int(batch["index"][2]))
    module = SegmentationModule(Poisoned(), settings.training)
    with pytest.raises(ConfigError, match=f"nan in epoch 0, step 7, on {name}; expected a finite"):
        module.training_step(batch, 7)


def checkpointed(run: Path) -> dict[str, Tensor]:
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return content["state_dict"]


def test_the_encoder_is_frozen_in_the_first_epochs_only(tmp_path: Path, recipe: Path) -> None:
    run = tmp_path / "run"
    settings = ["training.freeze_encoder_epochs=2", "training.lr=1e-3", "data.slices_per_epoch=8"]
    states = []
    for epochs in (1, 2, 3):
        train(recipe, [*settings, f"training.epochs={epochs}"], resume=True, quiet=True)
        states.append(checkpointed(run))
    encoder = "model.encoder.layers.0.blocks.0.op.in_proj.weight"
    decoder = "model.translayer1_st.conv.weight"
    assert torch.equal(states[0][encoder], states[1][encoder])
    assert not torch.equal(states[1][encoder], states[2][encoder])
    assert not torch.equal(states[0][decoder], states[1][decoder])


def test_the_encoder_has_its_own_learning_rate_and_vectors_no_weight_decay() -> None:
    model = create_model("rma-mamba-n", **SETTINGS)
    config = TrainingConfig(
        lr=1e-2, encoder_lr_factor=0.1, weight_decay=0.5, optimizer="adamw", warmup_steps=1
    )
    optimizer = make_optimizer(model, config)
    cosine_schedule(optimizer, config, 10)
    rates = {
        id(each): (round(group["lr"], 9), group["weight_decay"])
        for group in optimizer.param_groups
        for each in group["params"]
    }
    for name, each in model.named_parameters():
        rate = (
            5e-4 if name.startswith("encoder.") else 5e-3
        )  # warm-up: half of it in the first step
        assert rates[id(each)] == (rate, 0.5 if each.ndim > 1 else 0.0), name


def test_encoder_settings_are_rejected_for_a_network_without_encoder() -> None:
    unet = create_model("unet", width=4)
    check_encoder(unet, TrainingConfig())
    for config in (TrainingConfig(encoder_lr_factor=0.5), TrainingConfig(freeze_encoder_epochs=1)):
        with pytest.raises(ConfigError, match="no submodule named encoder"):
            check_encoder(unet, config)


def test_accumulated_batches_make_one_step(tmp_path: Path, recipe: Path) -> None:
    settings = ["training.batch_size=2", "training.accumulate=3", "data.slices_per_epoch=13"]
    train(recipe, [*settings, "training.epochs=1"], quiet=True)
    content = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["slices_per_step"] == 6
    assert content["global_step"] == 2


def test_a_training_run_can_start_from_the_embedded_weights(tmp_path: Path, recipe: Path) -> None:
    settings = [
        "model.name=rma-mamba-z",
        "model.weights=default",
        "model.settings={}",
        "training.epochs=1",
        "data.recipe.modality_plane=true",
        "data.stack_depths=[2]",
    ]
    still = ["training.lr=1e-30", "data.slices_per_epoch=2", "training.batch_size=2"]
    train(recipe, [*settings, *still], quiet=True)
    embedded = read_checkpoint(str(files("rma_mamba") / "weights" / "default.safetensors"))
    name = "encoder.layers.0.blocks.0.op.in_proj.weight"
    found = read_checkpoint(tmp_path / "run" / "weights.safetensors").state[name]
    torch.testing.assert_close(found.float(), embedded.state[name].float(), rtol=1e-3, atol=1e-4)


def test_one_pass_over_all_parameters_takes_the_same_step() -> None:
    def after_steps(fused: bool) -> Tensor:
        torch.manual_seed(0)
        layer = nn.Linear(6, 5)
        optimizer = make_optimizer(layer, TrainingConfig(lr=0.1))
        assert all(group["fused"] for group in optimizer.param_groups)
        if not fused:
            optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            layer(torch.ones(2, 6)).square().sum().backward()
            optimizer.step()
        return layer.weight.detach()

    torch.testing.assert_close(after_steps(fused=True), after_steps(fused=False))


def test_on_another_device_torch_chooses_the_optimiser() -> None:
    optimizer = make_optimizer(nn.Linear(6, 5, device="meta"), TrainingConfig())
    assert not optimizer.param_groups[0]["fused"]
