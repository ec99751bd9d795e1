"""Shifted labels: cases whose label is displaced from the edges of the image, unlike the labels of other cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rma_mamba.datasets.audit.case_audit import CaseFacts
from rma_mamba.datasets.audit.edge_alignment import EdgeOffset
from rma_mamba.datasets.audit.findings import Finding

_DIRECTIONS = (
    ("right", "left"),
    ("anterior", "posterior"),
    ("inferior", "superior"),
)  # -, + of i, j, k
_SHIFTED = 0.5  # voxels from the median of all cases
_SHIFTED_FACES = 0.35  # voxels by which entering and leaving faces are displaced, each
_SPREADS = 2.5  # multiples of the usual spread, for datasets with rough labels
_FEWEST_CASES = 5
_COMMON_SHIFT = 0.6  # voxels; organs beside the liver displace the median by less


def shifted_labels(cases: Sequence[CaseFacts]) -> Iterator[Finding]:
    """Warnings about shifted labels among the cases of one sequence: for all cases together, then one by one."""
    analysed = [case for case in cases if case.offsets]
    largest: dict[
        str, tuple[float, str]
    ] = {}  # a shift along one axis also affects the others a little
    for axis, directions in enumerate(_DIRECTIONS):
        offsets = [case.offsets[axis] for case in analysed]
        for number, voxels in outliers(offsets).items():
            name = analysed[number].case.name
            found = abs(voxels), _describe_shift(voxels, directions)
            largest[name] = max(largest.get(name, (0.0, "")), found)
        common = common_offset(offsets)
        if abs(common) > _COMMON_SHIFT:
            text = (
                f"all labels of {analysed[0].case.sequence} appear shifted against the images: they would fit better "
                f"{_describe_shift(common, directions)}."
            )
            yield Finding("shifted label", "warning", text)
    for name, (_, shift) in largest.items():
        text = f"the label appears shifted against the image: it would fit better {shift}."
        yield Finding("shifted label", "warning", text, (name,))


def outliers(offsets: Sequence[EdgeOffset | None]) -> dict[int, float]:
    """Cases whose label is shifted along one axis compared with the others.

    Returns:
        By case number, the voxels by which the label would have to be moved back.
    """
    known = {number: each for number, each in enumerate(offsets) if each is not None}
    if len(known) < _FEWEST_CASES:
        return {}
    table = np.array([(each.both, each.entering, each.leaving) for each in known.values()])
    away = table - np.median(table, axis=0)
    spread = 1.4826 * float(np.median(np.abs(away[:, 0])))
    same_direction = (np.sign(away[:, 1]) == np.sign(away[:, 2])) & (
        np.abs(away[:, 1:]).min(axis=1) > _SHIFTED_FACES
    )
    shifted = same_direction & (np.abs(away[:, 0]) > max(_SHIFTED, _SPREADS * spread))
    return {
        number: float(away[row, 0])
        for row, (number, is_shifted) in enumerate(zip(known, shifted, strict=True))
        if is_shifted
    }


def common_offset(offsets: Sequence[EdgeOffset | None]) -> float:
    """Median offset of all cases in voxels; 0 if there are too few."""
    known = [each.both for each in offsets if each is not None]
    return float(np.median(known)) if len(known) >= _FEWEST_CASES else 0.0


def _describe_shift(voxels: float, directions: tuple[str, str]) -> str:
    return f"about {abs(voxels):.1f} voxels further {directions[voxels > 0]}"
