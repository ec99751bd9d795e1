"""Labelled scans as 8-bit slices on the network's canvas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.datasets.cache import Arrays
from rma_mamba.datasets.config import SourceConfig
from rma_mamba.datasets.labelled_images import Grey, class_bits, read_label_values, read_slice
from rma_mamba.datasets.phantom import CONTRASTS, LiverShape, make_phantom
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import GridError
from rma_mamba.slicing import CalibratedVolume, IntensityScale, SlicePlan, SliceRecipe, calibrated
from rma_mamba.volume import Volume

EIGHT_BITS = IntensityScale(0, 255)
_FIRST_SEED = 1000  # smaller seeds belong to the demo and the tests


def volume_arrays(files: SourceFiles, source: SourceConfig, images: list[Path]) -> Arrays:
    """All slices of a patient's volumes.

    Returns:
        "images", "labels" (bit n: class n) and "tissues" (label values): uint8 [slice, height, width];
        "gap_mm": the largest slice spacing; "hounsfield": whether the intensities are Hounsfield units. Of cases with
        several scans, "images" are [slice, channel, height, width], and "present" states which channels there are: all
        of a patient's cases have them.
    """
    parts, gaps, units, present = [], [], set(), []
    for path in images:
        volume, values = read_label_values(files, source, path)
        volume = calibrated(volume)
        units |= {each.intensity_unit for each in scans_of(volume)}
        present.append([name in volume.channels for name in files.config.recipe.channel_names])
        order = volume.geometry.canonical
        organs = order.apply(np.clip(values, 0, 255).astype(np.uint8))
        recipe = files.config.recipe
        tissues: Grey = SlicePlan(volume.geometry, recipe).labels_to_canvas(organs)
        bits = class_bits(source, values, recipe.labels)
        parts.append((*_scans_on_canvas(volume, bits, recipe), tissues))
        gaps.append(volume.geometry.spacing_mm[order.permutation[0]])
    slices, labels, tissues = (_concatenate([part[n] for part in parts]) for n in range(3))
    return {
        "images": slices,
        "labels": labels,
        "tissues": tissues,
        "gap_mm": np.array(max(gaps)),
        "hounsfield": np.array(units == {"HU"}),
        **({"present": np.all(present, axis=0)} if recipe.channel_names else {}),
    }


def scans_of(volume: CalibratedVolume) -> list[CalibratedVolume]:
    """All scans of a case: its channels, or the single one."""
    return [calibrated(each) for each in volume.channels.values()] or [volume]


def _scans_on_canvas(
    volume: CalibratedVolume, labels: npt.NDArray[Any], recipe: SliceRecipe
) -> tuple[Grey, Grey]:
    """As `on_canvas`; of a case with several scans, slices [slice, channel, height, width]."""
    if not recipe.channel_names:
        return on_canvas(volume, labels, recipe)
    pairs = {
        name: on_canvas(calibrated(each), labels, recipe) for name, each in volume.channels.items()
    }
    first, bits = next(iter(pairs.values()))
    black = np.zeros_like(first)
    images = [pairs[name][0] if name in pairs else black for name in recipe.channel_names]
    return np.stack(images, axis=1), bits


def slice_arrays(files: SourceFiles, source: SourceConfig, images: list[Path]) -> Arrays:
    """All PNG or JPEG slices of a patient: "images" and "labels", uint8 [slice, height, width], and "hounsfield"; of
    several scans, with "present" and images as `volume_arrays` returns them.

    Raises:
        GridError: Some slices have a channel and others do not.
    """
    recipe, hounsfield = files.config.recipe, source.window_hu is not None
    read = [read_slice(files, source, path) for path in images]
    counts = {n: sum(n in image.channels for image, _ in read) for n in recipe.channel_names}
    for name, count in counts.items():
        if 0 < count < len(images):
            raise GridError(
                f"{count} of {len(images)} slices have the channel {name}; expected all or none. Add the missing "
                "files, or remove the channel of this patient."
            )
    pairs = [_slice_on_canvas(*each, recipe) for each in read]
    slices, labels = (_concatenate([pair[n] for pair in pairs]) for n in range(2))
    return {
        "images": slices,
        "labels": labels,
        "hounsfield": np.array(hounsfield),
        **({"present": np.array([*counts.values()]) > 0} if counts else {}),
    }


def _slice_on_canvas(image: Volume, labels: Grey, recipe: SliceRecipe) -> tuple[Grey, Grey]:
    """A slice, scaled as in testing: images of unknown window like MR, even if they show CT."""
    scan = calibrated(image, None if image.modality else "MR")
    return _scans_on_canvas(scan, labels, recipe)


def phantom_arrays(recipe: SliceRecipe, number: int, liver: Path | None = None) -> Arrays:
    """All slices of a phantom, as `volume_arrays` returns them; `liver` is the file of a mask that gives its shape."""
    contrast = CONTRASTS[number % len(CONTRASTS)]
    phantom = make_phantom(
        _FIRST_SEED + number,
        contrast=contrast,
        randomise=True,
        liver_shape=None if liver is None else LiverShape.read(liver),
    )
    volume = calibrated(phantom.volume)
    slices, labels = on_canvas(volume, phantom.mask.labels, recipe)
    spacing = volume.geometry.spacing_mm[volume.geometry.canonical.permutation[0]]
    hounsfield = volume.intensity_unit == "HU"
    return {
        "images": slices,
        "labels": labels,
        "gap_mm": np.array(spacing),
        "hounsfield": np.array(hounsfield),
    }


def on_canvas(
    volume: Volume,
    labels: npt.NDArray[Any],
    recipe: SliceRecipe,
    scale: IntensityScale | None = None,
) -> tuple[Grey, Grey]:
    """Slices and masks of a labelled volume, uint8 [slice, height, width].

    Args:
        volume: The scan.
        labels: Bit n is set where class n is, on the scan's grid; with the liver alone, 1 where it is.
        recipe: Preprocessing of the network.
        scale: Intensities that become 0 and 255; None: those of the recipe.
    """
    if scale is None:
        scan = calibrated(volume)
        volume, scale = scan, IntensityScale.of_volume(scan, recipe)
    plan, order = SlicePlan(volume.geometry, recipe), volume.geometry.canonical
    images = plan.to_canvas(scale.apply(order.apply(volume.values)))
    return np.rint(images * 255).astype(np.uint8), _bits_on_canvas(
        plan, order.apply(labels), recipe
    )


def _bits_on_canvas(plan: SlicePlan, labels: npt.NDArray[Any], recipe: SliceRecipe) -> Grey:
    """Labels on the canvas; at the border of two exclusive classes, the one that fills most of a pixel."""
    scheme = recipe.labels
    if scheme.is_liver_only:
        return (plan.to_canvas(labels) > 0.5).astype(np.uint8)
    shares = np.stack([plan.to_canvas(each) for each in scheme.split(labels)])
    inside = shares > 0.5
    if scheme.exclusive:
        filled = shares.sum(axis=0) > 0.5
        numbers = np.arange(len(scheme)).reshape(-1, 1, 1, 1)
        inside = filled & (shares.argmax(axis=0) == numbers)
    return scheme.join(list(inside))


def _concatenate(parts: list[Grey]) -> Grey:
    """Slices of different canvas sizes in one array, each centred and padded with zeros."""
    height, width = (max(each.shape[axis] for each in parts) for axis in (-2, -1))
    whole = np.zeros((sum(map(len, parts)), *parts[0].shape[1:-2], height, width), np.uint8)
    done = 0
    for each in parts:
        top, left = (height - each.shape[-2]) // 2, (width - each.shape[-1]) // 2
        area = slice(top, top + each.shape[-2]), slice(left, left + each.shape[-1])
        whole[done : done + len(each), ..., *area] = each
        done += len(each)
    return whole
