"""Pretraining restores hidden parts of unlabelled scans, and its weights initialise a training run."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.errors import ConfigError, EnvironmentWarning, WeightsError
from rma_mamba.inference import Segmenter
from rma_mamba.models import create_model
from rma_mamba.models.weights import read_checkpoint
from rma_mamba.training import pretrain, train
from rma_mamba.training.config import PretrainingConfig
from rma_mamba.training.masked_images import MaskedImageModule, random_mask
from rma_mamba.training.pretraining import pretraining_recipe
from rma_mamba.training.recipe_loading import load_recipe
from tiny import SETTINGS

SHORT = ["data.slices_per_epoch=8", "training.epochs=2"]


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    """Three phantoms in two formats, without labels."""
    paths = []
    for seed, contrast in enumerate(("ct", "mr_t1", "mr_t2")):
        phantom = make_phantom(seed, contrast=contrast, shape=(24, 24, 6))
        path = tmp_path / "scans" / f"{seed}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(phantom.volume.values, phantom.volume.geometry.affine), path)
        paths.append(path)
    return paths


def test_weights_initialise_a_training_run_and_do_not_segment(
    tmp_path: Path, recipe: Path, scans: list[Path]
) -> None:
    folder = tmp_path / "pretrained"
    weights = pretrain(recipe, scans, [*SHORT, f"run.folder={folder}"], quiet=True)
    found = read_checkpoint(weights)
    assert {split: len(x["unlabelled"]) for split, x in found.provenance["data"].items()} == {
        "train": 2,
        "val": 1,
    }
    assert found.provenance["recipe"]["pretraining"]["mask_share"] == 0.6
    with pytest.raises(WeightsError, match="pretrained on unlabelled scans and does not segment"):
        Segmenter.load(weights, device="cpu")
    trained = train(recipe, [*SHORT, f"model.weights={weights}"], quiet=True)
    assert read_checkpoint(trained).provenance["recipe"]["pretraining"] is None
    assert Segmenter.load(trained, device="cpu").recipe.size == 32
    with pytest.raises(ConfigError, match="already contains a training run"):
        pretrain(recipe, scans, [*SHORT, f"run.folder={folder}"], quiet=True)


def test_an_interrupted_run_gives_the_same_bytes(
    tmp_path: Path, recipe: Path, scans: list[Path]
) -> None:
    settings = ["data.slices_per_epoch=8", "training.average_weights=none", "training.patience=9"]
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    expected = pretrain(
        recipe, scans, [*settings, f"run.folder={whole}", "training.epochs=2"], quiet=True
    )
    for epochs in (1, 2):
        more = [*settings, f"run.folder={torn}", f"training.epochs={epochs}"]
        found = pretrain(recipe, scans, more, resume=True, quiet=True)
    one, other = read_checkpoint(expected), read_checkpoint(found)
    assert one.sha256 == other.sha256
    with pytest.raises(ConfigError, match=r"pretraining\.mask_share was 0\.6 and is now 0\.5"):
        pretrain(recipe, scans, [*more, "pretraining.mask_share=0.5"], resume=True, quiet=True)


@pytest.mark.parametrize("through_plane", [False, True])
def test_the_hidden_part_is_learned(recipe: Path, through_plane: bool) -> None:
    plane = ["data.recipe.modality_plane=true", "data.recipe.through_plane_mm=5"]
    settings = pretraining_recipe(load_recipe(recipe, plane if through_plane else []))
    torch.manual_seed(0)
    more: dict[str, Any] = (
        {"input_channels": 4, "through_plane": (0, 0, 0, 1)} if through_plane else {}
    )
    module = MaskedImageModule(create_model("rma-mamba-n", **SETTINGS, **more), settings)
    optimizer = torch.optim.Adam(module.parameters(), 1e-2)
    ramp = torch.linspace(0, 1, 32)[:, None].expand(4, 3, 32, 32).contiguous()
    mask = random_mask(ramp, PretrainingConfig())
    losses = []
    for _ in range(25):
        loss = module._restoration_loss(ramp, mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize(("share", "px"), [(0.6, 16), (0.1, 8), (0.9, 5), (0.001, 16)])
def test_masks_hide_the_share_in_squares(share: float, px: int) -> None:
    torch.manual_seed(0)
    image = torch.zeros(20, 3, 64, 48)
    mask = random_mask(image, PretrainingConfig(mask_share=share, mask_px=px))
    assert mask.shape == (20, 1, 64, 48)
    assert mask.flatten(1).any(1).all()
    assert float(mask.float().mean()) == pytest.approx(max(share, px**2 / 64 / 48), abs=0.06)
    assert torch.equal(mask[..., 0, 0], mask[..., px - 1, px - 1])


def test_an_unreadable_scan_is_left_out_with_a_warning(
    tmp_path: Path, recipe: Path, scans: list[Path]
) -> None:
    bad = tmp_path / "scans" / "bad.nii.gz"
    bad.write_bytes(b"not a scan")
    folder = tmp_path / "pretrained"
    with pytest.warns(EnvironmentWarning, match=r"the scan bad\.nii\.gz is left out"):
        pretrain(
            recipe,
            [bad, *scans],
            ["training.epochs=1", *SHORT[:1], f"run.folder={folder}"],
            quiet=True,
        )
    with (
        pytest.warns(EnvironmentWarning),
        pytest.raises(ConfigError, match="1 of 2 scans can be read; expected at least two"),
    ):
        pretrain(recipe, [bad, scans[0]], [f"run.folder={tmp_path / 'other'}"], quiet=True)


def test_every_map_contributes_to_the_loss(recipe: Path) -> None:
    settings = pretraining_recipe(load_recipe(recipe))
    maps = [torch.zeros(1, 1, 32, 32), torch.full((1, 1, 32, 32), 100.0)]

    class Fixed(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
            return maps

    module = MaskedImageModule(Fixed(), settings)
    image = torch.ones(1, 3, 32, 32)
    loss = module._restoration_loss(image, torch.ones(1, 1, 32, 32, dtype=torch.bool))
    assert float(loss) == pytest.approx((0.5 + 0) / 2)
    assert np.isfinite(float(loss))
