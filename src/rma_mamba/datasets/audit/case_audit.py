"""Audit of a single case: its facts (counts, digests, grid), and errors that it has on its own."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.datasets.audit.edge_alignment import EdgeOffset, edge_offsets
from rma_mamba.datasets.audit.findings import Finding, Kind, Level
from rma_mamba.datasets.audit.patches import largest_patches
from rma_mamba.datasets.audit.plausibility import image_findings, label_findings, not_numbers
from rma_mamba.datasets.audit.sketch import Sketch, coarse_volume, sketch_of
from rma_mamba.datasets.layouts.case_reader import LabelledImage, read_images
from rma_mamba.datasets.layouts.index import IndexedCase
from rma_mamba.errors import GridError, ScanError
from rma_mamba.labels import LabelRule
from rma_mamba.metrics import dice
from rma_mamba.scans.checks import CONSTANT
from rma_mamba.scans.dtypes import NOT_FINITE
from rma_mamba.volume import Geometry, Volume

_LARGEST_LIVER_ML = 6000  # above, the header may have wrong units or a wrong spacing
_NO_LIVER_ML = 25_000  # above, it has: more than the largest polycystic livers
_TOO_FEW_SLICES = 2  # to tell whether a label is shifted
_SHOWN = 8  # values in one sentence

Bits = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class CaseFacts:
    """Facts about a case.

    Args:
        case: The case.
        slices: Number of axial slices.
        slices_with_liver: Number of axial slices with liver.
        shape: Columns, rows and slices.
        spacing_mm: Spacing of columns, rows and slices; None: PNG or JPEG slices.
        orientation: Axis codes of the stored image; empty: PNG or JPEG slices.
        label_values: Values that occur in the label.
        liver_ml: Volume of the liver; None: PNG or JPEG slices.
        slice_digests: Digests of the image's slices that are not constant.
        label_digest: Digest of the liver in LPS order; None: there is no liver.
        offsets: Offsets of the image's edges from the label's border along i, j, k; None: cannot be determined.
        sketch: Coarse slices with their label; None: there is no liver, or the case has errors.
        patches: The liver in its largest slices, for the search for copies.
        network_liver: The judge's liver on the grid of the sketch; None: no judge was asked.
        network_dice: Dice of the sketch's label and `network_liver`; None: no judge was asked.
        flipped: Axes that the header of the scan seems to flip, according to the judge.
    """

    case: IndexedCase
    slices: int = 0
    slices_with_liver: int = 0
    shape: tuple[int, int, int] = (0, 0, 0)
    spacing_mm: tuple[float, float, float] | None = None
    orientation: str = ""
    label_values: tuple[float, ...] = ()
    liver_ml: float | None = None
    slice_digests: tuple[str, ...] = ()
    label_digest: str | None = None
    offsets: tuple[EdgeOffset | None, ...] = ()
    sketch: Sketch | None = None
    patches: tuple[npt.NDArray[np.float32], ...] = ()
    network_liver: Bits | None = None
    network_dice: float | None = None
    flipped: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a trained network sees in a scan.

    Args:
        liver: 1 where it finds liver, on the grid of the volume that it was given.
        flipped: Axes that the header seems to flip, such as "left/right".
    """

    liver: Bits
    flipped: tuple[str, ...] = ()


Judge = Callable[[Volume], Judgement]


def audit_case(
    case: IndexedCase, judge: Judge | None = None, *, quick: bool = False
) -> tuple[CaseFacts | None, list[Finding]]:
    """Read a case and check it; the facts are None if it cannot be read.

    Args:
        case: The case.
        judge: A network that segments coarse volumes; None: the label is compared with the image alone.
        quick: Leave out the search for small shifts of the label.
    """
    try:
        images = list(read_images(case))
    except (ScanError, GridError) as error:
        kind: Kind = "grid" if case.channel_names and isinstance(error, GridError) else "unreadable"
        return None, [_finding(kind, "error", str(error), case)]
    facts = _image_facts(case, images)
    of_images = (
        _channel_findings(case, images) if case.channel_names else image_findings(case, images)
    )
    findings = [*_missing_label_findings(case, images), *of_images]
    paired = [each for each in images if each.label is not None]
    other_grid = [found for each in paired for found in _grid_findings(case, each)]
    if other_grid or not paired:
        return facts, [*findings, *other_grid[:1]]
    facts, more = _label_facts(facts, paired, quick=quick)
    findings += [*more, *_plausibility_findings(facts, images)]
    if facts.slices_with_liver and not any(each.level == "error" for each in findings):
        try:
            facts = _with_sketch(facts, paired, judge)
        except GridError as error:  # of the judge: the voxel size is impossible for a body
            findings.append(_finding("grid", "error", str(error), case))
    return facts, findings


def _with_sketch(facts: CaseFacts, pairs: list[LabelledImage], judge: Judge | None) -> CaseFacts:
    """The facts with everything that cases are compared by."""
    livers = [facts.case.rule.liver_in(each.label.values) for each in pairs if each.label]
    volume, liver = coarse_volume(pairs, livers)
    patches = largest_patches([each.image.values for each in pairs], livers)
    facts = replace(facts, sketch=sketch_of(volume, liver, facts.shape), patches=patches)
    if judge is None or not liver.any():
        return facts
    judgement = judge(volume)
    return replace(
        facts,
        network_liver=judgement.liver,
        network_dice=dice(judgement.liver, liver),
        flipped=judgement.flipped if facts.case.kind == "volume" else (),
    )


def _finding(kind: Kind, level: Level, text: str, case: IndexedCase) -> Finding:
    return Finding(kind, level, text, (case.name,))


def _image_facts(case: IndexedCase, images: list[LabelledImage]) -> CaseFacts:
    first = images[0].image.geometry
    digests = [digest for each in images for digest in _slice_digests(each.image.values)]
    slices = sum(each.image.geometry.shape[2] for each in images)
    volume = case.kind == "volume"
    return CaseFacts(
        case,
        slices=slices,
        shape=(*first.shape[:2], slices),
        spacing_mm=first.spacing_mm if volume else None,
        orientation=images[0].orientation if volume else "",
        slice_digests=tuple(digests),
    )


def _missing_label_findings(case: IndexedCase, images: list[LabelledImage]) -> list[Finding]:
    count = sum(each.label is None for each in images)
    if not count:
        return []
    if case.kind == "volume":
        text = "the case has no label; expected one."
    else:
        text = f"{count} slices have no mask; expected one mask per slice."
    return [_finding("missing label", "error", text, case)]


def _channel_findings(case: IndexedCase, images: list[LabelledImage]) -> Iterator[Finding]:
    """Errors of the intensities of each channel of a case, missing slices of one, and channels that are copies."""
    scans = [each.image.channels for each in images]
    for name in case.channel_names:
        own = [
            replace(image, image=channels[name])
            for image, channels in zip(images, scans, strict=True)
            if name in channels
        ]
        for each in image_findings(case, own):
            yield replace(each, text=f"channel {name}: {each.text}")
        if len(own) < len(images):
            text = (
                f"{len(own)} of {len(images)} slices have the channel {name}; expected all or none. Add the missing "
                "files, under the same names as in the other channels."
            )
            yield _finding("files", "error", text, case)
    for one, other in itertools.combinations(case.channel_names, 2):
        pairs = [(each[one], each[other]) for each in scans if one in each and other in each]
        if pairs and all(np.array_equal(first.values, second.values) for first, second in pairs):
            text = f"the channels {one} and {other} are the same image; expected two scans. Replace one of them."
            yield _finding("duplicate image", "error", text, case)


def _grid_findings(case: IndexedCase, pair: LabelledImage) -> list[Finding]:
    """An error if image and label are on different grids."""
    assert pair.label is not None
    image, label = pair.image.geometry, pair.label.geometry
    if label.matches(image):
        return []
    if image.shape == label.shape and np.allclose(image.spacing_mm, label.spacing_mm, rtol=0.01):
        step = np.linalg.solve(image.affine[:3, :3], (label.affine - image.affine)[:3, 3])
        shift = ", ".join(f"{each:+.2f}" for each in np.round(step, 2) + 0.0)  # no -0.00
        text = (
            f"the grid of the label is shifted by ({shift}) voxels (left, posterior, superior) or rotated "
            "against that of the image"
        )
    else:
        text = f"the grid of the label is {_describe_grid(label)}, that of the image {_describe_grid(image)}"
    return [_finding("grid", "error", f"{text}; expected the same grid.", case)]


def _describe_grid(geometry: Geometry) -> str:
    size = " x ".join(map(str, geometry.shape))
    return f"{size} voxels of {' x '.join(f'{each:.3g}' for each in geometry.spacing_mm)} mm"


def _label_facts(
    facts: CaseFacts, pairs: list[LabelledImage], *, quick: bool
) -> tuple[CaseFacts, list[Finding]]:
    """Facts about the labels; image and label of each pair are on the same grid."""
    case, rule = facts.case, facts.case.rule
    labels = [each.label.values for each in pairs if each.label is not None]
    # slice by slice, because sorting a whole volume would copy it
    planes = [label[:, :, k] for label in labels for k in range(label.shape[2])]
    values = np.unique(np.concatenate([np.unique(plane) for plane in planes]))
    facts = replace(facts, label_values=tuple(float(each) for each in values[: 4 * _SHOWN]))
    findings = [*not_numbers(case, pairs), *_unexpected_values(case, values)]
    try:
        livers = [rule.liver_in(label) for label in labels]
    except ScanError as error:
        return facts, findings or [_finding("label values", "error", str(error), case)]
    facts = _liver_facts(facts, pairs[0], livers, quick=quick)
    findings += label_findings(case, pairs, livers)
    if not facts.slices_with_liver:
        level: Level = "error" if case.kind == "volume" else "warning"
        text = f"the label contains no liver (value {_ranges(rule.liver)}); expected liver."
        findings.append(_finding("empty label", level, text, case))
    return facts, findings


def _unexpected_values(case: IndexedCase, values: npt.NDArray[Any]) -> list[Finding]:
    unexpected = case.rule.unexpected_in(values)
    if not unexpected:
        return []
    shown = ", ".join(f"{each:g}" for each in unexpected[:_SHOWN])
    more = ", ..." if len(unexpected) > _SHOWN else ""
    text = f"the label contains the values {shown}{more}; expected {_expected_values(case.rule)}."
    return [_finding("label values", "error", text, case)]


def _expected_values(rule: LabelRule) -> str:
    return "whole numbers" if rule.known is None else _ranges({0, *rule.known})


def _liver_facts(
    facts: CaseFacts, first: LabelledImage, livers: list[Bits], *, quick: bool
) -> CaseFacts:
    slices = [liver[:, :, k] for liver in livers for k in range(liver.shape[2])]
    with_liver = sum(bool(each.any()) for each in slices)
    count = sum(int(np.count_nonzero(liver)) for liver in livers)
    # few slices have too few faces: on real data the estimate deviates by a voxel or more
    volume = facts.case.kind == "volume" and facts.slices > _TOO_FEW_SLICES
    return replace(
        facts,
        slices_with_liver=with_liver,
        liver_ml=count * first.image.geometry.voxel_volume_ml if facts.spacing_mm else None,
        label_digest=_label_digest(slices) if with_liver else None,
        offsets=edge_offsets(first.image.values, livers[0] > 0) if volume and not quick else (),
    )


def _plausibility_findings(facts: CaseFacts, images: list[LabelledImage]) -> list[Finding]:
    """Warnings of the reader, and about implausible anatomy or files."""
    case = facts.case
    reported = (CONSTANT, NOT_FINITE)  # as errors
    sentences = [
        text
        for text in dict.fromkeys(text for each in images for text in each.image.warnings)
        if not any(known in text for known in reported)
    ]
    findings = []
    if facts.liver_ml is not None and facts.liver_ml > _LARGEST_LIVER_ML:
        found = f"the liver volume is {facts.liver_ml / 1000:.1f} litres: "
        if facts.liver_ml > _NO_LIVER_ML:
            text = f"{found}the spacing in the header is wrong; expected mm. Check the voxel size and its unit."
            findings.append(_finding("grid", "error", text, case))
        else:
            sentences.append(f"{found}the spacing in the header may be wrong.".capitalize())
    if case.kind == "slices" and len({each.image.geometry.shape for each in images}) > 1:
        sentences.append("The slices of the case have different sizes.")
    return findings + [_finding("plausibility", "warning", text, case) for text in sentences]


def _slice_digests(values: npt.NDArray[Any]) -> list[str]:
    """Digests of the slices [column, row] that are not constant; independent of the stored data type."""
    found = []
    for k in range(values.shape[2]):
        plane = np.ascontiguousarray(values[:, :, k], np.float32)
        if plane.min() < plane.max():
            found.append(hashlib.sha256(str(plane.shape).encode() + plane.tobytes()).hexdigest())
    return found


def _label_digest(slices: list[Bits]) -> str:
    digest = hashlib.sha256()
    for each in slices:
        digest.update(str(each.shape).encode() + np.packbits(each).tobytes())
    return digest.hexdigest()


def _ranges(numbers: Iterable[int]) -> str:
    """Whole numbers as "0, 55-70"."""
    values = set(numbers)
    starts = [each for each in sorted(values) if each - 1 not in values]
    ends = [each for each in sorted(values) if each + 1 not in values]
    pairs = zip(starts, ends, strict=True)
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in pairs)
