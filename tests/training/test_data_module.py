"""Batches do not depend on the workers, and settings that give no usable batch are rejected."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.recipe_loading import load_recipe
from rma_mamba.training.workers import pins_memory

CHANCE = [
    "data.crop=64",
    "data.canvases=[32, 64]",
    "data.augment={spatial = 0.8, rotation_degrees = 30, noise = 0.5, single_slice = 0.5}",
]


def data(recipe: Path, *settings: str, epoch: int = 0) -> SliceDataModule:
    found = SliceDataModule(load_recipe(recipe, settings), first_epoch=epoch)
    found.setup("fit")
    return found


def test_batches_do_not_depend_on_the_workers(recipe: Path) -> None:
    alone = list(data(recipe, *CHANCE, epoch=3).train_dataloader())
    torch.manual_seed(99)
    helped = list(data(recipe, *CHANCE, "training.workers=2", epoch=3).train_dataloader())
    assert len(alone) == len(helped) == 6
    for one, other in zip(alone, helped, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert {tuple(batch["image"].shape[-2:]) for batch in alone} == {(32, 32), (64, 64)}
    other = next(iter(data(recipe, *CHANCE, epoch=4).train_dataloader()))
    assert not torch.equal(other["index"], alone[0]["index"])


@pytest.mark.parametrize("stacks", [[], ["data.stack_depths=[2]"]])
def test_validation_does_not_depend_on_the_workers(recipe: Path, stacks: list[str]) -> None:
    alone = list(data(recipe, *stacks).val_dataloader())
    helped = list(data(recipe, *stacks, "training.workers=1").val_dataloader())
    assert len(alone) == len(helped) > 0
    for one, other in zip(alone, helped, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("accelerator", "gpu", "pinned"),
    [("auto", True, True), ("gpu", True, True), ("cpu", True, False), ("auto", False, False)],
)
def test_memory_is_pinned_for_a_gpu_only(
    monkeypatch: pytest.MonkeyPatch, accelerator: str, gpu: bool, pinned: bool
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    assert pins_memory(accelerator) == pinned


def test_every_slice_is_validated_once(recipe: Path) -> None:
    found = data(recipe, "training.batch_size=3")
    assert torch.cat([batch["index"] for batch in found.val_dataloader()]).tolist() == list(
        range(len(found.val))
    )


def test_an_epoch_shorter_than_a_step_is_one_step(recipe: Path) -> None:
    (batch,) = data(recipe, "training.batch_size=100", "training.accumulate=2").train_dataloader()
    assert len(batch["image"]) == 24


def test_a_batch_too_small_for_batch_normalisation_is_rejected(recipe: Path) -> None:
    with pytest.raises(ConfigError, match="a single slice of 32 x 32 pixels"):
        data(recipe, "data.slices_per_epoch=1")
    data(recipe, "data.slices_per_epoch=1", "data.crop=64")
    with pytest.raises(ConfigError, match="a single slice of 32 x 32 pixels"):
        data(recipe, "training.batch_size=1", "data.crop=64", "data.canvases=[32, 64]")


def test_every_folder_is_listed_once(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: Counter[Path] = Counter()

    def counted(folder: Path, listing=Path.iterdir) -> Iterator[Path]:
        listed[folder] += 1
        return listing(folder)

    monkeypatch.setattr(Path, "iterdir", counted)
    data(recipe)
    assert len(listed) == 4  # images and labels of two sources
    assert set(listed.values()) == {1}


def test_a_split_without_validation_patients_is_rejected(recipe: Path) -> None:
    with pytest.raises(ConfigError, match="and 0 for validation; expected at least one each"):
        data(recipe, "data.splits={}")


@pytest.mark.parametrize("place", ["volumes/images/case_01.nii.gz", "slices/masks/p10_z1.png"])
def test_a_corrupt_file_is_named_by_source_and_patient(
    tmp_path: Path, recipe: Path, place: str
) -> None:
    path = tmp_path / "data" / place
    path.write_bytes(path.read_bytes()[:60])
    source, patient = place.partition("/")[0], {"v": "1", "s": "10"}[place[0]]
    with pytest.raises(ScanError, match=f"^source {source}, patient {patient}: ") as caught:
        data(recipe)
    assert "\n" not in str(caught.value)


def test_labelled_slices_are_drawn_as_often_as_asked(recipe: Path) -> None:
    def share(*settings: str) -> float:
        found = data(recipe, "data.slices_per_epoch=2000", "training.batch_size=8", *settings)
        drawn = [draw.position for draw in found.train_dataloader().sampler]
        index = found.train.index  # type: ignore[union-attr]
        return float(np.mean([index[each][0].labels[index[each][1]].any() for each in drawn]))

    plain = share()
    assert share("data.foreground_share=0") == plain
    assert share("data.foreground_share=0.5") == pytest.approx((1 + plain) / 2, abs=0.04)
    assert share("data.foreground_share=1") == 1


def test_a_foreground_share_needs_a_number_of_draws(recipe: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"foreground_share is 0\.3, but slices_per_epoch is not set"
    ):
        load_recipe(recipe, ["data.foreground_share=0.3", "data.slices_per_epoch=none"])
