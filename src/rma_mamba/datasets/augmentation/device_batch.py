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
        scans = len(of_scans.generators) // len(of_samples.generators)
        chosen = of_scans.chosen(config.tissue_contrast)
        if chosen:
            tissues = batch["tissues"][[unit // scans for unit in chosen]]
            units[chosen] = contrast.tissue_contrast(units[chosen], tissues, chosen, of_scans)
        chosen = of_scans.chosen(config.liver_contrast)
        if chosen:
            label = _foreground(batch["label"][[unit // scans for unit in chosen]])
            units[chosen] = contrast.liver_contrast(units[chosen], label, chosen, of_scans)
        # where several classes are labelled, lesions would be tumours without a label
        chosen = of_samples.chosen(config.lesions) if self.classes == 1 else []
        if chosen:
            label = _foreground(batch["label"][chosen])
            added = contrast.lesions(label, chosen, of_samples)
            own = [sample * scans + n for sample in chosen for n in range(scans)]
            units[own] += added.repeat_interleave(scans, 0)
        return apply(contrast.inversion, units, config.inversion, of_scans)

    def _moved(self, images: Tensor, bits: Tensor, draws: UnitDraws) -> tuple[Tensor, Tensor]:
        """Images, and the labels of the middle slices by class, after the spatial transform."""
        at = bits.shape[1] // 2
        middle = bits[:, at : at + 1]
        classes = [(middle >> number & 1).float() for number in range(self.classes)]
        channels = images.shape[1]
        both = moved(torch.cat([images, *classes], 1), self.config, self.crop, draws)
        return both[:, :channels], (both[:, channels:] > 0.5).float()

    def _intensities(self, units: Tensor, draws: UnitDraws) -> Tensor:
        config = self.config
        changes: tuple[tuple[Change, float], ...] = (
            (intensity.histogram_shift, config.histogram),
            (intensity.gamma, config.gamma),
            (partial(intensity.scaled, largest=0.35), config.window),
            (partial(intensity.shifted, largest=0.12), config.window / 2),
            (intensity.bias_field, config.bias_field),
            (intensity.low_resolution, config.low_resolution),
            (intensity.blur, config.blur),
        )
        for change, probability in changes:
            units = apply(change, units, probability, draws)
        if (
            units.shape[1] < _CHANNELS
        ):  # without neighbours, the channels differ by their noise alone
            units = units.expand(-1, _CHANNELS, -1, -1)
        return apply(intensity.noise, units, config.noise, draws)


def apply(change: Change, images: Tensor, probability: float, draws: UnitDraws) -> Tensor:
    """Apply a change to each unit with a probability."""
    chosen = draws.chosen(probability)
    if not chosen:
        return images
    images = images.clone()
    images[chosen] = change(images[chosen], chosen, draws)
    return images


def _foreground(bits: Tensor) -> Tensor:
    return (bits > 0).float()
