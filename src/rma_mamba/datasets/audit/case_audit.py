"""What is learnt of one case by reading it: counts, digests, its grid, and what is wrong with it alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.datasets.audit.edge_alignment import BorderOffset, border_offsets
from rma_mamba.datasets.audit.findings import Finding
from rma_mamba.datasets.cases import MASK_THRESHOLD
from rma_mamba.datasets.layouts.case_reader import Part, read_parts
from rma_mamba.datasets.layouts.index import IndexedCase
from rma_mamba.errors import GridError, ScanError
from rma_mamba.volume import Geometry

_TOLERANCE_MM = 0.1  # between the corners of an image's and a label's grid, as in training
_LARGEST_LIVER_ML = 6000  # a larger one is a header in wrong units or with a wrong spacing
_SHOWN = 8  # values in one sentence


@dataclass(frozen=True)
class CaseFacts:
    """What a case holds.

    Args:
        entry: Which case.
        slices: Axial slices.
        with_liver: Those with liver.
        shape: Columns, rows and slices.
        spacing_mm: Of columns, rows and slices; None: pictures.
        orientation: In which the image is stored; "": pictures.
        label_values: All values of the label.
        liver_ml: None: pictures, which have no size.
        slice_digests: Of the image's slices that are not constant.
        label_digest: Of the liver in canonical order; None: there is none.
        offsets: Where the image's border lies from the label's, along i, j, k; None: not to be told.
    """

    entry: IndexedCase
    slices: int = 0
    with_liver: int = 0
    shape: tuple[int, int, int] = (0, 0, 0)
    spacing_mm: tuple[float, float, float] | None = None
    orientation: str = ""
    label_values: tuple[float, ...] = ()
    liver_ml: float | None = None
    slice_digests: tuple[str, ...] = ()
    label_digest: str | None = None
    offsets: tuple[BorderOffset | None, ...] = ()


def study(entry: IndexedCase) -> tuple[CaseFacts | None, list[Finding]]:
    """Read a case; None if it cannot be read."""
    try:
        parts = list(read_parts(entry))
    except (ScanError, GridError) as error:
        return None, [Finding("unreadable", "error", str(error), (entry.name,))]
    facts, findings = _sizes(entry, parts), _missing(entry, parts)
    paired = [part for part in parts if part.label is not None]
    wrong = [found for part in paired for found in _grid(entry, part)]
    if wrong or not paired:
        return facts, [*findings, *wrong[:1]]
    facts, more = _labels(facts, paired)
    return facts, [*findings, *more, *_doubts(facts, parts)]


def _sizes(entry: IndexedCase, parts: list[Part]) -> CaseFacts:
    image = parts[0].image
    digests = [digest for part in parts for digest in _slice_digests(part.image.values)]
    volume = entry.kind == "volume"
    return CaseFacts(
        entry,
        slices=sum(part.image.geometry.shape[2] for part in parts),
        shape=(*image.geometry.shape[:2], sum(part.image.geometry.shape[2] for part in parts)),
        spacing_mm=image.geometry.spacing_mm if volume else None,
        orientation=parts[0].orientation if volume else "",
        slice_digests=tuple(digests),
    )


def _missing(entry: IndexedCase, parts: list[Part]) -> list[Finding]:
    count = sum(part.label is None for part in parts)
    if not count:
        return []
    what = "there is no label" if entry.kind == "volume" else f"{count} slices have no mask"
    return [Finding("missing label", "error", f"{what}; expected one.", (entry.name,))]


def _grid(entry: IndexedCase, part: Part) -> list[Finding]:
    """A sentence if image and label are not on one grid."""
    assert part.label is not None
    image, label = part.image.geometry, part.label.geometry
    if label.matches(image, _TOLERANCE_MM):
        return []
    if image.shape == label.shape and np.allclose(image.spacing_mm, label.spacing_mm, rtol=0.01):
        step = np.linalg.solve(image.affine[:3, :3], (label.affine - image.affine)[:3, 3])
        moved = ", ".join(f"{each:+.2f}" for each in np.round(step, 2) + 0.0)  # no -0.00
        text = (
            f"the label's grid is moved by ({moved}) voxels to the left, back and head, or turned"
        )
    else:
        text = f"the label's grid is {_shown(label)}, the image's {_shown(image)}"
    return [Finding("grid", "error", f"{text}; expected one grid.", (entry.name,))]


def _shown(geometry: Geometry) -> str:
    size = " x ".join(map(str, geometry.shape))
    return f"{size} voxels of {' x '.join(f'{each:.3g}' for each in geometry.spacing_mm)} mm"


def _labels(facts: CaseFacts, parts: list[Part]) -> tuple[CaseFacts, list[Finding]]:
    """What labels hold; image and label of each part are on one grid."""
    entry, rule = facts.entry, facts.entry.rule
    values = [part.label.values for part in parts if part.label is not None]
    # slice by slice: a whole volume would be sorted in a copy
    planes = [each[:, :, k] for each in values for k in range(each.shape[2])]
    found = np.unique(np.concatenate([np.unique(plane) for plane in planes]))
    livers = [rule.liver_in(each) for each in values]
    slices = [liver[:, :, k] for liver in livers for k in range(liver.shape[2])]
    with_liver = sum(bool(each.any()) for each in slices)
    count = sum(int(np.count_nonzero(liver)) for liver in livers)
    facts = replace(
        facts,
        with_liver=with_liver,
        label_values=tuple(float(each) for each in found[: 4 * _SHOWN]),
        liver_ml=count * parts[0].image.geometry.voxel_volume_ml if facts.spacing_mm else None,
        label_digest=_label_digest(slices) if with_liver else None,
        offsets=_offsets(entry, parts, livers),
    )
    findings = []
    unexpected = rule.unexpected_in(found)
    if unexpected:
        shown = ", ".join(f"{each:g}" for each in unexpected[:_SHOWN])
        more = ", ..." if len(unexpected) > _SHOWN else ""
        known = "whole numbers" if rule.known is None else _ranges({0, *rule.known})
        text = f"the label holds the values {shown}{more}; expected {known}."
        findings.append(Finding("label values", "error", text, (entry.name,)))
    if not with_liver:
        level = "error" if entry.kind == "volume" else "warning"
        text = f"no label is liver ({_ranges(set(rule.liver))}); expected some."
        findings.append(Finding("empty label", level, text, (entry.name,)))  # type: ignore[arg-type]
    return facts, findings


def _doubts(facts: CaseFacts, parts: list[Part]) -> list[Finding]:
    """What the reader doubts, and what anatomy does."""
    sentences = dict.fromkeys(each for part in parts for each in part.image.warnings)
    if facts.liver_ml is not None and facts.liver_ml > _LARGEST_LIVER_ML:
        text = f"The liver measures {facts.liver_ml / 1000:.1f} litres: the header's spacing may be wrong."
        sentences[text] = None
    if facts.entry.kind == "slices" and len({part.image.geometry.shape for part in parts}) > 1:
        sentences["Its slices have several sizes."] = None
    if any(
        path is not None and path.suffix.lower() in (".jpg", ".jpeg") for path in facts.entry.labels
    ):
        sentences[
            f"Its masks are JPG, which is not exact: values above {MASK_THRESHOLD} were taken as liver."
        ] = None
    return [Finding("reader", "warning", text, (facts.entry.name,)) for text in sentences]


def _offsets(
    entry: IndexedCase, parts: list[Part], livers: list[npt.NDArray[np.uint8]]
) -> tuple[BorderOffset | None, ...]:
    # single slices have too few faces: in real ones the estimate strays by a voxel
    return border_offsets(parts[0].image.values, livers[0] > 0) if entry.kind == "volume" else ()


def _slice_digests(values: npt.NDArray[Any]) -> list[str]:
    """Of each slice [column, row] that is not constant, whatever type its file has."""
    found = []
    for k in range(values.shape[2]):
        plane = np.ascontiguousarray(values[:, :, k], np.float32)
        if plane.min() < plane.max():
            found.append(hashlib.sha256(str(plane.shape).encode() + plane.tobytes()).hexdigest())
    return found


def _label_digest(slices: list[npt.NDArray[np.uint8]]) -> str:
    digest = hashlib.sha256()
    for each in slices:
        digest.update(str(each.shape).encode() + np.packbits(each).tobytes())
    return digest.hexdigest()


def _ranges(values: set[int]) -> str:
    """Whole numbers as "0, 55-70"."""
    ordered = sorted(values)
    starts = [each for each in ordered if each - 1 not in values]
    ends = [each for each in ordered if each + 1 not in values]
    pairs = zip(starts, ends, strict=True)
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in pairs)
