"""Writing the files of a prepared case."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from rma_mamba.datasets.canvas_arrays import EIGHT_BITS
from rma_mamba.datasets.labelled_images import Grey
from rma_mamba.datasets.layouts.case_reader import LabelledImage, read_images
from rma_mamba.datasets.layouts.index import IndexedCase
from rma_mamba.datasets.prepare.class_values import mapped_labels
from rma_mamba.datasets.prepare.manifest import (
    PreparedCase,
    channel_folder_name,
    digest_of,
    files_of,
)
from rma_mamba.errors import ScanError
from rma_mamba.files import replace_file
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.scans import write_mask, write_scan
from rma_mamba.slicing import IntensityScale, SliceRecipe, calibrated
from rma_mamba.volume import ClassMap, Mask


def write_case(
    folder: Path,
    case: IndexedCase,
    prepared: PreparedCase,
    recipe: SliceRecipe,
    *,
    png: bool,
    labels: LabelScheme = LabelScheme(),  # noqa: B008 (frozen)
) -> PreparedCase:
    """Write the files of a case, unless they exist and the original files have not changed.

    Args:
        folder: The prepared folder.
        case: The original case.
        prepared: Its record in the manifest.
        recipe: Intensities that become 0 and 1.
        png: Also write the slices of a volume as PNG files.
        labels: The classes of the labels.

    Returns:
        The complete record; `prepared` itself if there was nothing to do.

    Raises:
        ScanError, GridError: A file cannot be read or written.
    """
    digests = _digests(case)
    existing = files_of(folder, prepared)
    unchanged = digests == (prepared.image_sha256, prepared.label_sha256)
    if prepared.done and unchanged and len(existing) == prepared.files:
        return prepared
    for path in existing:
        path.unlink()
    images = list(read_images(case))
    maps = [_label_map(case, each, prepared, labels) for each in images]
    scale, image = EIGHT_BITS, images[0].image
    if case.kind == "volume":
        _write_volume(folder / prepared.place, prepared.stem, images[0], maps[0], labels)
        scan = calibrated(image)
        scale, images[0] = IntensityScale.of_volume(scan, recipe), replace(images[0], image=scan)
    if case.kind == "slices" or png:
        prefix = "" if case.kind == "slices" else "png_"
        brightness = np.uint8(255 if labels.is_liver_only else 1)
        planes = _planes(images, [each * brightness for each in maps], scale)
        _write_slices(folder / prepared.place, prefix, prepared.stem, planes)
    slices = sum(each.shape[2] for each in maps)
    livers = [labels.liver_in(each) for each in maps]
    changes = {
        "done": True,
        "files": len(files_of(folder, prepared)),
        "image_sha256": digests[0],
        "label_sha256": digests[1],
        "low": scale.low,
        "high": scale.high,
        "modality": image.modality or case.modality,
        "spacing_mm": image.geometry.spacing_mm if case.kind == "volume" else None,
        "shape": (*image.geometry.shape[:2], slices),
        "slices": slices,
        "slices_with_liver": sum(int(liver.any(axis=(0, 1)).sum()) for liver in livers),
    }
    return prepared.model_copy(update=changes)


def _digests(case: IndexedCase) -> tuple[str, str]:
    try:
        return digest_of(case.scans), digest_of(label for label in case.labels if label)
    except OSError as error:
        raise ScanError(
            f"a file of the dataset cannot be read ({error.strerror or 'input/output error'}); expected it "
            "to be unchanged since the check. Run the command again."
        ) from error


def _label_map(
    case: IndexedCase, image: LabelledImage, prepared: PreparedCase, labels: LabelScheme
) -> Grey:
    if image.label is None:
        raise ScanError("a case has no label; expected one. Check the dataset again.")
    if labels.is_liver_only:
        return case.rule.liver_in(image.label.values)
    return mapped_labels(image.label.values, prepared.classes, labels)


def _write_volume(
    place: Path, stem: str, image: LabelledImage, label_map: Grey, labels: LabelScheme
) -> None:
    classes = None if labels.is_liver_only else ClassMap(label_map, labels)
    mask = Mask(labels.liver_in(label_map), image.image.geometry, classes=classes)
    write_mask(mask, place / "labels" / f"{stem}.nii")
    for name, scan in image.image.channels.items():
        write_scan(scan, place / channel_folder_name(name) / f"{stem}.nii")
    if not image.image.channels:
        write_scan(image.image, place / "images" / f"{stem}.nii")


def _planes(
    images: list[LabelledImage], masks: list[Grey], scale: IntensityScale
) -> Iterator[dict[str, Grey]]:
    """Slices of each channel and masks, by folder, as grey levels [row, column] in radiological orientation."""
    for image, mask in zip(images, masks, strict=True):
        channels = {channel_folder_name(n): each for n, each in image.image.channels.items()}
        for k in range(mask.shape[2]):
            levels = {
                folder: np.rint(scale.apply(scan.values[:, :, k].T) * 255).astype(np.uint8)
                for folder, scan in (channels or {"images": image.image}).items()
            }
            yield {**levels, "labels": mask[:, :, k].T}


def _write_slices(place: Path, prefix: str, stem: str, planes: Iterator[dict[str, Grey]]) -> None:
    for number, parts in enumerate(planes):
        for kind, levels in parts.items():
            content = io.BytesIO()
            Image.fromarray(levels).save(content, "PNG")
            path = place / f"{prefix}{kind}" / f"{stem}_z{number:04d}.png"
            replace_file(path, content.getvalue(), "PNG slice")
