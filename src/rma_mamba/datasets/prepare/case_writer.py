"""The files of one prepared case."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from rma_mamba.datasets.layouts.case_reader import Part, read_parts
from rma_mamba.datasets.layouts.index import IndexedCase
from rma_mamba.datasets.prepare.manifest import PreparedCase, digest_of, files_of
from rma_mamba.errors import ScanError
from rma_mamba.files import replace_file
from rma_mamba.scans import write_mask, write_scan
from rma_mamba.slicing import IntensityScale, SliceRecipe, calibrated
from rma_mamba.volume import Mask

Grey = npt.NDArray[np.uint8]

_EIGHT_BITS = IntensityScale(0, 255)


def make_case(
    folder: Path, entry: IndexedCase, case: PreparedCase, recipe: SliceRecipe, *, pictures: bool
) -> PreparedCase:
    """Write the files of a case, unless they are there and were made from the same source.

    Args:
        folder: The prepared folder.
        entry: Where the case comes from.
        case: Its line of the manifest.
        recipe: How grey values become 0 and 1.
        pictures: Write the slices of a volume as PNG, too.

    Returns:
        The finished line; `case` itself if there was nothing to do.

    Raises:
        ScanError, GridError: A file cannot be read or written.
    """
    sources = _digests(entry)
    here = files_of(folder, case)
    if case.done and sources == (case.image_sha256, case.label_sha256) and len(here) == case.files:
        return case
    for path in here:
        path.unlink()
    parts = list(read_parts(entry))
    livers = [_liver(entry, part) for part in parts]
    scale = _EIGHT_BITS
    image = parts[0].image
    if entry.kind == "volume":
        scan = calibrated(image)
        scale, parts[0] = IntensityScale.of_volume(scan, recipe), replace(parts[0], image=scan)
        _write_volume(folder / case.place, case.stem, parts[0], livers[0])
    if entry.kind == "slices" or pictures:
        prefix = "" if entry.kind == "slices" else "png_"
        _write_pictures(folder / case.place, prefix, case.stem, _planes(parts, livers, scale))
    slices = sum(liver.shape[2] for liver in livers)
    changes = {
        "done": True,
        "files": len(files_of(folder, case)),
        "image_sha256": sources[0],
        "label_sha256": sources[1],
        "low": scale.low,
        "high": scale.high,
        "modality": image.modality or entry.modality,
        "spacing_mm": image.geometry.spacing_mm if entry.kind == "volume" else None,
        "shape": (*image.geometry.shape[:2], slices),
        "slices": slices,
        "slices_with_liver": sum(int(liver.any(axis=(0, 1)).sum()) for liver in livers),
    }
    return case.model_copy(update=changes)


def _digests(entry: IndexedCase) -> tuple[str, str]:
    try:
        return digest_of(entry.images), digest_of(label for label in entry.labels if label)
    except OSError as error:
        raise ScanError(
            f"a file of the dataset cannot be read ({error.strerror or 'input/output error'}); expected it "
            "unchanged since it was checked. Run the command again."
        ) from error


def _liver(entry: IndexedCase, part: Part) -> Grey:
    if part.label is None:
        raise ScanError("a case has no label; expected one. Check the dataset again.")
    return entry.rule.liver_in(part.label.values)


def _write_volume(place: Path, stem: str, part: Part, liver: Grey) -> None:
    write_mask(Mask(liver, part.image.geometry), place / "labels" / f"{stem}.nii")
    write_scan(part.image, place / "images" / f"{stem}.nii")


def _planes(
    parts: list[Part], livers: list[Grey], scale: IntensityScale
) -> Iterator[tuple[Grey, Grey]]:
    """Each slice and its mask as 8-bit pictures [row, column]: the patient's right is on the left."""
    for part, liver in zip(parts, livers, strict=True):
        for k in range(liver.shape[2]):
            grey = np.rint(scale.apply(part.image.values[:, :, k].T) * 255).astype(np.uint8)
            yield grey, liver[:, :, k].T * np.uint8(255)


def _write_pictures(
    place: Path, prefix: str, stem: str, planes: Iterator[tuple[Grey, Grey]]
) -> None:
    for number, pair in enumerate(planes):
        for kind, picture in zip(("images", "labels"), pair, strict=True):
            content = io.BytesIO()
            Image.fromarray(picture).save(content, "PNG")
            path = place / f"{prefix}{kind}" / f"{stem}_z{number:04d}.png"
            replace_file(path, content.getvalue(), "picture")
