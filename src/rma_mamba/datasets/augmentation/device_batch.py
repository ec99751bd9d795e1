"""Random augmentation of whole batches on the training device.

The changes, their order and their ranges are those of `training_transform`; the random numbers are others. They depend
on the draw of each sample only, so that an interrupted training run continues with the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from rma_mamba.datasets.augment_config import AugmentConfig
from rma_mamba.datasets.augmentation import batch_contrast as contrast
from rma_mamba.datasets.augmentation import batch_intensity as intensity
from rma_mamba.datasets.augmentation.batch_geometry import moved
from rma_mamba.datasets.augmentation.unit_draws import UnitDraws
from rma_mamba.datasets.slices import Sample

Change = Callable[[Tensor, Sequence[int], UnitDraws], Tensor]

_CHANNELS = 3  # of each scan


class DeviceAugmentation:
    """Augment a batch of raw slices, as `raw_sample` returns them, on the device where it is.

    Each scan has three slices, or one that becomes three equal channels.

    Args:
        config: Probabilities and ranges.
        crop: Side of the result in pixels.
        classes: Number of classes of the labels.
    """

    def __init__(self, config: AugmentConfig, crop: int, classes: int = 1) -> None:
        self.config, self.crop, self.classes = config, crop, classes

    def __call__(self, batch: Sample) -> Sample:
        """Images in [0, 1] and labels, [sample, channel, height, width] and [sample, class, height, width]."""
        images = batch["image"].float() / 255
        samples, device = len(images), images.device
        scans = batch["present"].shape[1] if "present" in batch else 1
        seeds = batch["draw"].tolist()
        of_samples = UnitDraws([(seed, 0) for seed in seeds], device)
        of_scans = UnitDraws([(seed, n + 1) for seed in seeds for n in range(scans)], device)
        units = images.view(samples * scans, -1, *images.shape[-2:])
        units = self._contrasts(units, batch, of_samples, of_scans)
        images, label = self._moved(units.view(images.shape), batch["label"], of_samples)
        units = self._intensities(
            images.reshape(samples * scans, -1, self.crop, self.crop), of_scans
        )
        images = units.reshape(samples, -1, self.crop, self.crop)  # a copy if channels are equal
        images = apply(intensity.cut_outs, images, self.config.cut_outs, of_samples)
        images = images.nan_to_num(0).clamp(0, 1)
        if "present" in batch:
            images = images * batch["present"].repeat_interleave(_CHANNELS, 1)[..., None, None]
        if "hounsfield" in batch:
            plane = batch["hounsfield"].view(-1, 1, 1, 1).expand(-1, 1, *images.shape[-2:])
            images = torch.cat([images, plane], dim=1)
        kept = {key: batch[key] for key in ("index", "draw")}
        return {"image": images.contiguous(), "label": label, **kept}

    def _contrasts(
        self, units: Tensor, batch: Sample, of_samples: UnitDraws, of_scans: UnitDraws
    ) -> Tensor:
        config = self.config
        # where several classes are labelled, lesions would be tumours without a label
        with_lesions = config.lesions if self.classes == 1 else 0.0
        units = own_contrasts(units, batch, config, of_scans)
        units = with_added(contrast.lesions, units, batch["label"], with_lesions, of_samples)
        return apply(contrast.inversion, units, config.inversion, of_scans)

    def _moved(self, images: Tensor, bits: Tensor, draws: UnitDraws) -> tuple[Tensor, Tensor]:
        """Images, and the labels of the middle slices by class, after the spatial transform."""
        at = bits.shape[1] // 2
        return moved_together(
            images, bits[:, at : at + 1], self.classes, self.config, self.crop, draws
        )

    def _intensities(self, units: Tensor, draws: UnitDraws) -> Tensor:
        config = self.config
        units = curves(units, config, draws)
        units = resolutions(units, config, draws)
        if (
            units.shape[1] < _CHANNELS
        ):  # without neighbours, the channels differ by their noise alone
            units = units.expand(-1, _CHANNELS, -1, -1)
        return apply(intensity.noise, units, config.noise, draws)


def own_contrasts(units: Tensor, batch: Sample, config: AugmentConfig, draws: UnitDraws) -> Tensor:
    """Contrasts of tissues and the liver that each scan has of its own.

    Args:
        units: Scans [unit, slice, height, width]; changed in place.
        batch: Its "tissues" and "label" [sample, slice, height, width]; each sample has the same number of scans.
        config: Probabilities.
        draws: Random numbers of the units.
    """
    scans = len(units) // len(batch["label"])
    chosen = draws.chosen(config.tissue_contrast)
    if chosen:
        tissues = batch["tissues"][[unit // scans for unit in chosen]]
        units[chosen] = contrast.tissue_contrast(units[chosen], tissues, chosen, draws)
    chosen = draws.chosen(config.liver_contrast)
    if chosen:
        label = foreground(batch["label"][[unit // scans for unit in chosen]])
        units[chosen] = contrast.liver_contrast(units[chosen], label, chosen, draws)
    return units


def with_added(
    make: Change, units: Tensor, bits: Tensor, probability: float, draws: UnitDraws
) -> Tensor:
    """Add the same to all scans of a sample, with a probability; arguments as in `own_contrasts`.

    Args:
        make: Makes what is added from the foreground of the chosen samples.
        units: Scans; changed in place.
        bits: Labels of the samples.
        probability: Of each sample.
        draws: Random numbers of the samples.
    """
    chosen = draws.chosen(probability)
    if chosen:
        scans = len(units) // len(bits)
        added = make(foreground(bits[chosen]), chosen, draws)
        own = [sample * scans + n for sample in chosen for n in range(scans)]
        units[own] += added.repeat_interleave(scans, 0)
    return units


def moved_together(
    images: Tensor,
    bits: Tensor,
    classes: int,
    config: AugmentConfig,
    crop: int,
    draws: UnitDraws,
) -> tuple[Tensor, Tensor]:
    """Images, and labels [sample, class and slice, height, width], after the spatial transform.

    Args:
        images: All slices of all scans of each sample.
        bits: Its labels [sample, slice, height, width]: bit n where class n is.
        classes: Number of classes.
        config: Probabilities and ranges.
        crop: Side of the result.
        draws: Random numbers of the samples.
    """
    maps = [(bits >> number & 1).float() for number in range(classes)]
    channels = images.shape[1]
    both = moved(torch.cat([images, *maps], 1), config, crop, draws)
    return both[:, :channels], (both[:, channels:] > 0.5).float()


def curves(units: Tensor, config: AugmentConfig, draws: UnitDraws) -> Tensor:
    """Random intensity curves and bias field of each scan."""
    changes: tuple[tuple[Change, float], ...] = (
        (intensity.histogram_shift, config.histogram),
        (intensity.gamma, config.gamma),
        (partial(intensity.scaled, largest=0.35), config.window),
        (partial(intensity.shifted, largest=0.12), config.window / 2),
        (intensity.bias_field, config.bias_field),
    )
    for change, probability in changes:
        units = apply(change, units, probability, draws)
    return units


def resolutions(units: Tensor, config: AugmentConfig, draws: UnitDraws) -> Tensor:
    """Random resolution and blur of each scan."""
    units = apply(intensity.low_resolution, units, config.low_resolution, draws)
    return apply(intensity.blur, units, config.blur, draws)


def apply(change: Change, images: Tensor, probability: float, draws: UnitDraws) -> Tensor:
    """Apply a change to each unit with a probability."""
    chosen = draws.chosen(probability)
    if not chosen:
        return images
    images = images.clone()
    images[chosen] = change(images[chosen], chosen, draws)
    return images


def foreground(bits: Tensor) -> Tensor:
    """1 where any class is."""
    return (bits > 0).float()
