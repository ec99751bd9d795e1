"""Random augmentation of whole batches of stacks on the training device.

The changes, their order and their ranges are those of `stack_transform`; the random numbers are others. They depend on
the draw of each stack only, so that an interrupted training run continues with the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation import batch_contrast as contrast
from rma_mamba.datasets.augmentation import batch_intensity as intensity
from rma_mamba.datasets.augmentation.device_batch import (
    apply,
    curves,
    moved_together,
    own_contrasts,
    resolutions,
    with_added,
)
from rma_mamba.datasets.augmentation.seeded_chain import SeededChain
from rma_mamba.datasets.augmentation.stack_transforms import (
    CT_FACTOR,
    CT_OFFSET,
    CT_PROBABILITY,
    FACTORS,
    JUMPS,
    SLOPE,
    physical_transforms,
)
from rma_mamba.datasets.augmentation.synthetic_contrast import RandLesions
from rma_mamba.datasets.augmentation.unit_draws import UnitDraws
from rma_mamba.datasets.slices import Sample
from rma_mamba.datasets.stacks import with_channels
from rma_mamba.slicing import SliceRecipe
from rma_mamba.slicing.intensity_scale import compress_highlights


class DeviceStackAugmentation:
    """Augment a batch of raw stacks, as `StackDataset` returns them, on the device where it is.

    Args:
        config: Probabilities and ranges.
        recipe: Channels, HU window and classes.
        crop: Side of the result in pixels.
    """

    def __init__(self, config: AugmentConfig, recipe: SliceRecipe, crop: int) -> None:
        # stacks are neither flipped nor turned on their own
        self.config = config.model_copy(
            update={"rotation": 0.0, "horizontal_flip": 0.0, "vertical_flip": 0.0}
        )
        self.recipe, self.crop, self.classes = recipe, crop, len(recipe.labels)
        self.physics = SeededChain(physical_transforms(config, recipe))

    def __call__(self, batch: Sample) -> Sample:
        """Images [stack, slice, channel, height, width] in [0, 1], and labels of all slices by class."""
        calibrated = batch["hounsfield"] > 0
        count, slices = batch["label"].shape[:2]
        side = self.crop
        images = batch["image"].new_zeros(count, batch["image"].shape[1], side, side).float()
        label = images.new_zeros(count, self.classes * slices, side, side)
        for is_hounsfield in (False, True):
            chosen = (calibrated == is_hounsfield).nonzero().flatten()
            if len(chosen):
                part = {key: each[chosen] for key, each in batch.items()}
                images[chosen], label[chosen] = self._augmented(part, hounsfield=is_hounsfield)
        if "present" in batch:
            images *= batch["present"].repeat_interleave(slices, 1)[..., None, None]
        stacks = [
            with_channels(stack, self.recipe, bool(is_hounsfield))
            for stack, is_hounsfield in zip(images, calibrated.tolist(), strict=True)
        ]
        label = label.view(count, self.classes, slices, side, side).transpose(1, 2).contiguous()
        kept = {key: batch[key] for key in ("index", "draw")}
        return {"image": torch.stack(stacks), "label": label, **kept}

    def _augmented(self, batch: Sample, *, hounsfield: bool) -> tuple[Tensor, Tensor]:
        """Images and labels [stack, scan and slice or class and slice, height, width] of stacks of one kind."""
        seeds, device = batch["draw"].tolist(), batch["image"].device
        scans = batch["present"].shape[1] if "present" in batch else 1
        of_stacks = UnitDraws([(seed, 0) for seed in seeds], device)
        of_scans = UnitDraws([(seed, n + 1) for seed in seeds for n in range(scans)], device)
        images = batch["image"].float() / 255
        images = (
            self._physical(images, batch)
            if hounsfield
            else self._free(images, batch, of_stacks, of_scans)
        )
        images, label = moved_together(
            images, batch["label"], self.classes, self.config, self.crop, of_stacks
        )
        units = images.reshape(len(of_scans.generators), -1, self.crop, self.crop)
        units = (
            _small_changes(units, of_scans) if hounsfield else curves(units, self.config, of_scans)
        )
        units = resolutions(units, self.config, of_scans)
        units = apply(intensity.noise, units, self.config.noise, of_scans)
        if not hounsfield:
            units = self._artefacts(units, of_stacks, of_scans)
        return units.reshape(images.shape).nan_to_num(0).clamp(0, 1), label

    def _physical(self, images: Tensor, batch: Sample) -> Tensor:
        """Changes of calibrated CT, stack by stack: each is computed from the organs of the stack."""
        changed = []
        for number, (image, bits) in enumerate(zip(images, batch["label"], strict=True)):
            kept: Sample = {
                key: batch[key][number] for key in ("tissues", "present") if key in batch
            }
            sample: Sample = {"image": image, "label": (bits > 0).float(), **kept}
            if self.classes > 1:
                sample["classes"] = bits  # states that there are several
            self.physics.set_random_state(int(batch["draw"][number]))
            changed.append(self.physics(sample)["image"])
        return torch.stack(changed)

    def _free(
        self, images: Tensor, batch: Sample, of_stacks: UnitDraws, of_scans: UnitDraws
    ) -> Tensor:
        """Contrasts of MR, and of CT that is scaled like MR."""
        config = self.config
        squeezed = compress_highlights(images, self.recipe.mr_headroom)
        images = torch.where(batch["compressed"].view(-1, 1, 1, 1), squeezed, images)
        units = images.reshape(len(of_scans.generators), -1, *images.shape[-2:])
        units = own_contrasts(units, batch, config, of_scans)
        with_lesions = config.lesions if self.classes == 1 else 0.0
        units = with_added(_lesions, units, batch["label"], with_lesions, of_stacks)
        return apply(contrast.inversion, units, config.inversion, of_scans).reshape(images.shape)

    def _artefacts(self, units: Tensor, of_stacks: UnitDraws, of_scans: UnitDraws) -> Tensor:
        """Holes in all scans of a stack, and differences of brightness between and along the slices of a scan."""
        stacks = len(of_stacks.generators)
        together = units.reshape(stacks, -1, self.crop, self.crop)
        together = apply(intensity.cut_outs, together, self.config.cut_outs, of_stacks)
        units = together.reshape(units.shape)
        units = apply(_jumps, units, self.config.slice_jumps, of_scans)
        return apply(_shading, units, self.config.bias_field, of_scans)


def _small_changes(units: Tensor, draws: UnitDraws) -> Tensor:
    """Change all intensities of a calibrated CT a little."""
    for change in (
        partial(intensity.scaled, largest=CT_FACTOR),
        partial(intensity.shifted, largest=CT_OFFSET),
    ):
        units = apply(change, units, CT_PROBABILITY, draws)
    return units


def _lesions(label: Tensor, units: Sequence[int], draws: UnitDraws) -> Tensor:
    """What synthetic lesions, ellipsoids in this case, add to stacks."""
    make = RandLesions(1.0, stacked=True)
    added = []
    for each, unit in zip(label, units, strict=True):
        make.set_random_state(seed=int(draws.generators[unit].integers(2**31)))
        added.append(make({"image": torch.zeros_like(each), "label": each})["image"])
    return torch.stack(added)


def _jumps(images: Tensor, units: Sequence[int], draws: UnitDraws) -> Tensor:
    """Change the brightness from slice to slice."""
    slices = images.shape[1]
    factors = draws.stacked(units, lambda random: random.normal(1, random.uniform(*JUMPS), slices))
    return images * factors.clamp(*FACTORS)[..., None, None]


def _shading(images: Tensor, units: Sequence[int], draws: UnitDraws) -> Tensor:
    """Brighten one side of the body, or one end of the stack."""
    slopes = draws.uniform(units, -SLOPE, SLOPE, 3)
    for axis, size in enumerate(images.shape[1:]):
        along = torch.linspace(-1, 1, size, device=images.device)
        shape = [-1 if each == axis else 1 for each in range(3)]
        images = images * (1 + slopes[:, axis].view(-1, 1, 1, 1) * along.view(shape))
    return images
