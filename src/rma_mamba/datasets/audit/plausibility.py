"""Images and labels that cannot be right, whatever they show: constant, not numbers, inverted, noise, tiny."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.datasets.audit.findings import Finding, Kind, Level
from rma_mamba.datasets.layouts.case_reader import LabelledImage
from rma_mamba.datasets.layouts.index import IndexedCase
from rma_mamba.labels import GREY_LEVEL_THRESHOLD
from rma_mamba.scans.dtypes import NOT_FINITE

_INVERTED = 0.5  # share of the pixels at the edge of the slices
_ROUGHEST = 6.0  # times the circumference of a disc of the same area; real livers stay below 3
_SCATTERED = 0.5  # mean share of the four neighbours of a labelled pixel that are labelled
_FEWEST_PIXELS = 20  # in the slice with the largest area
_SMALLEST_MM2, _SMALLEST_SHARE = 400.0, 0.01  # of that slice: 2 x 2 cm, and share of the slice
_FEW_SLICES = 3  # single slices that may all be of the tip of the liver

_CUT_MM2 = 500.0  # in-plane contact of a liver with the edge of its image

_STRAY = 2  # single slices that may be labelled by mistake

Bits = npt.NDArray[np.uint8]


def image_findings(case: IndexedCase, images: Sequence[LabelledImage]) -> Iterator[Finding]:
    """Errors of the intensities of a case."""
    lost = [text for each in images for text in each.image.warnings if NOT_FINITE in text]
    if lost:
        text = f"{lost[0].partition(':')[0]} in the image; expected intensities. Export it again."
        yield _finding("image values", text, case)
    lows, highs = zip(
        *((each.image.values.min(), each.image.values.max()) for each in images), strict=True
    )
    if min(lows) == max(highs):
        text = f"all voxels of the image have the value {float(min(lows)):g}; expected a scan."
        yield _finding("image values", text, case)
    elif all(map(_repeats_its_label, images)):
        text = "the image only repeats its label; expected a scan."
        yield _finding("image values", text, case)


def label_findings(
    case: IndexedCase, pairs: Sequence[LabelledImage], livers: Sequence[Bits]
) -> Iterator[Finding]:
    """Errors of the labels of a case.

    Args:
        case: The case.
        pairs: Its images.
        livers: 1 where the liver is [i, j, k], one per image.
    """
    sizes = [liver.sum(axis=(0, 1), dtype=np.int64) for liver in livers]
    if not any(size.any() for size in sizes):
        return
    if _edge_share(livers) > _INVERTED:
        text = (
            "the label marks the background, up to the edges of the slices; expected the liver. "
            "Exchange 0 and the liver's value."
        )
        yield _finding("implausible label", text, case)
    elif _is_noise(livers):
        text = "the label consists of scattered voxels like noise; expected a liver."
        yield _finding("implausible label", text, case)
    elif tiny := _tiny(case, pairs, livers):
        yield tiny
    else:
        yield from _cut_livers(case, pairs, livers)
    blank = _blank_slices(pairs, livers)
    if blank:
        text = f"{blank} slices with liver have an empty image; expected anatomy in them."
        yield _finding("image values", text, case)
    yield from _gaps(case, sizes)


def not_numbers(case: IndexedCase, pairs: Sequence[LabelledImage]) -> Iterator[Finding]:
    """An error if voxels of a label are NaN or infinite."""
    texts = [text for each in pairs if each.label for text in each.label.warnings]
    lost = next((text for text in texts if NOT_FINITE in text), None)
    if lost:
        text = f"{lost.partition(':')[0]} in the label; expected label values. Correct the label."
        yield _finding("label values", text, case)


def lossy_masks(cases: Iterable[IndexedCase]) -> Iterator[Finding]:
    """One warning for the whole dataset if masks are JPEG."""
    count = sum(
        any(path and path.suffix.lower() in (".jpg", ".jpeg") for path in case.labels)
        for case in cases
    )
    if count:
        text = (
            f"The masks are JPEG in {count} cases, which is lossy: grey levels above {GREY_LEVEL_THRESHOLD} count as "
            "liver."
        )
        yield Finding("plausibility", "warning", text)


def _finding(kind: Kind, text: str, case: IndexedCase, level: Level = "error") -> Finding:
    return Finding(kind, level, text, (case.name,))


def _repeats_its_label(pair: LabelledImage) -> bool:
    """Whether an image has a single value for each value of its label, in every slice."""
    if pair.label is None or pair.image.values.shape != pair.label.values.shape:
        return False
    image, label = pair.image.values, pair.label.values
    return bool(label.any()) and all(
        _is_constant(image[:, :, k][label[:, :, k] == value])
        for k in range(image.shape[2])
        for value in np.unique(label[:, :, k])
    )


def _is_constant(values: npt.NDArray[Any]) -> bool:
    return not values.size or bool(values.min() == values.max())


def _edge_share(livers: Sequence[Bits]) -> float:
    edges = [
        np.concatenate(
            [liver[0].ravel(), liver[-1].ravel(), liver[:, 0].ravel(), liver[:, -1].ravel()]
        )
        for liver in livers
    ]
    return float(np.concatenate(edges).mean())


def _is_noise(livers: Sequence[Bits]) -> bool:
    """Whether the border of a label is far too long for its area."""
    count = sum(int(liver.sum(dtype=np.int64)) for liver in livers)
    slices = sum(int(liver.any(axis=(0, 1)).sum()) for liver in livers)
    inner = sum(
        int(np.count_nonzero(liver[1:] & liver[:-1])) + int(np.count_nonzero(liver[:, 1:] & liver[:, :-1]))
        for liver in livers
    )  # fmt: skip
    connected = inner / (2 * count)  # each pair counts for two of four neighbours
    roughness = (1 - connected) * (count / slices) ** 0.5
    large = count / slices >= _FEWEST_PIXELS
    return large and (connected < _SCATTERED or roughness > _ROUGHEST)


def _tiny(
    case: IndexedCase, pairs: Sequence[LabelledImage], livers: Sequence[Bits]
) -> Finding | None:
    """An error about a label whose largest slice is too small for a liver; of a few single slices, a warning."""
    areas = [int(liver.sum(axis=(0, 1), dtype=np.int64).max()) for liver in livers]
    at = int(np.argmax(areas))
    pixels, (width, height) = areas[at], livers[at].shape[:2]
    column_mm, row_mm = pairs[at].image.geometry.spacing_mm[:2]
    small = pixels < _SMALLEST_SHARE * width * height
    if case.kind == "volume" and small and pixels * column_mm * row_mm < _SMALLEST_MM2:
        shown = f"{pixels * column_mm * row_mm / 100:.2g} cm2"
    elif case.kind == "slices" and pixels < _SMALLEST_SHARE / 10 * width * height:
        shown = f"{pixels} pixels"
    else:
        return None
    found = f"the label is tiny: {shown} in its largest slice"
    if case.kind == "slices" and np.count_nonzero(areas) <= _FEW_SLICES:
        text = f"{found}: expected a liver, or its tip. Look at it."
        return _finding("implausible label", text, case, "warning")
    return _finding("implausible label", f"{found}; expected a liver.", case)


def _blank_slices(pairs: Sequence[LabelledImage], livers: Sequence[Bits]) -> int:
    """Number of slices with liver whose image is constant; 0 if the whole image is, which is reported itself."""
    count = 0
    if all(pair.image.values.min() == pair.image.values.max() for pair in pairs):
        return count
    for pair, liver in zip(pairs, livers, strict=True):
        for k in np.flatnonzero(liver.any(axis=(0, 1))):
            plane: npt.NDArray[Any] = pair.image.values[:, :, k]
            count += bool(plane.min() == plane.max())
    return count


def _gaps(case: IndexedCase, sizes: Sequence[npt.NDArray[np.int64]]) -> Iterator[Finding]:
    """A warning about slices without liver between slices with liver."""
    if case.kind != "volume":
        return
    labelled = np.flatnonzero(sizes[0])
    runs = np.split(labelled, np.flatnonzero(np.diff(labelled) > 1) + 1)
    # a stray slice is not the other part of a liver; but every second one may be labelled
    runs = [run for run in runs if len(run) > 1] or (runs if len(runs) > _STRAY else [])
    missing = int(runs[-1][-1] - runs[0][0] + 1 - sum(map(len, runs))) if runs else 0
    if missing:
        text = f"{missing} slices without label lie between slices with liver: they may have been left out."
        yield _finding("implausible label", text, case, "warning")


def _cut_livers(
    case: IndexedCase, pairs: Sequence[LabelledImage], livers: Sequence[Bits]
) -> Iterator[Finding]:
    """A warning if a liver reaches the edge of its slices: they seem to be cropped."""
    if case.kind != "volume":
        return
    liver, (column_mm, row_mm, slice_mm) = livers[0], pairs[0].image.geometry.spacing_mm
    lengths_mm = {
        "right": liver[0].sum() * row_mm,
        "left": liver[-1].sum() * row_mm,
        "anterior": liver[:, 0].sum() * column_mm,
        "posterior": liver[:, -1].sum() * column_mm,
    }
    for side, length_mm in lengths_mm.items():
        mm2 = float(length_mm) * slice_mm
        if mm2 > _CUT_MM2:
            text = f"the liver reaches the {side} edge of the image over {mm2 / 100:.0f} cm2: the scan may be cropped."
            yield _finding("implausible label", text, case, "warning")
