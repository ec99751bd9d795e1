"""Copies of a scan that are not identical voxel by voxel: cropped, resampled, mirrored or with other intensities.

Each case's liver in its three largest slices is reduced to patches of 24 x 24 pixels without coarse brightness and
without outliers. On the public scans used in development (CHAOS T2, BTCV, LiTS; 92 cases) patches of different patients
correlated by at most 0.39, mirrored and turned ones included, and of neighbouring slices of one patient by up to 0.91.
Copies resampled to 3/4 of their size correlated by 0.86 or more in two slices (CHAOS T2, BTCV; 28 cases), cropped or
brightened ones by more than 0.99.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from rma_mamba.datasets.audit.case_audit import CaseFacts
from rma_mamba.datasets.audit.duplicates import pair_finding
from rma_mamba.datasets.audit.findings import Finding
from rma_mamba.datasets.audit.patches import SIDE

Vectors = npt.NDArray[np.float32]  # [patch, pixel], each of length 1
Correlations = npt.NDArray[np.float32]  # [patch]

_ONLY = 0.92  # correlation of patches of a copy, if a case has a single one
_ONE, _TWO = 0.8, 0.68  # if it has several: of one pair, or of two


def copied_images(cases: Sequence[CaseFacts], known: Iterable[Finding] = ()) -> Iterator[Finding]:
    """Pairs of cases of different patients with the same anatomy.

    Args:
        cases: All cases.
        known: Pairs that are already reported are not reported again.
    """
    pairs = {frozenset(finding.cases) for finding in known if len(finding.cases) == 2}
    owners = np.array([n for n, case in enumerate(cases) for _ in case.patches], np.intp)
    patches = [patch for case in cases for patch in case.patches]
    if not patches:
        return
    table = np.stack(patches)
    for number, case in enumerate(cases):
        if not len(case.patches):
            continue
        upright, moved = _correlations(table, np.stack(case.patches))
        best = np.maximum(upright, moved)
        for other in np.unique(owners[(best >= _TWO) & (owners > number)]):
            theirs = owners == other
            first, second = case.case, cases[other].case
            new = frozenset((first.name, second.name)) not in pairs
            if new and not first.same_patient(second) and _same(best[theirs], len(case.patches)):
                turned = moved[theirs].max() > upright[theirs].max()
                how = (
                    "mirrored or turned"
                    if turned
                    else "cropped, resampled or with other intensities"
                )
                text = f"duplicates: the images show the same liver, {how}"
                yield pair_finding("duplicate image", text, first, second)


def _correlations(table: Vectors, own: Vectors) -> tuple[Correlations, Correlations]:
    """The best correlation of each patch of a table with those of a case: as they are, and mirrored or turned."""
    squares = own.reshape(len(own), SIDE, SIDE)
    symmetries = [
        np.flip(square, axes).reshape(len(own), -1)
        for square in (squares, squares.transpose(0, 2, 1))
        for axes in ((), (1,), (2,), (1, 2))
    ]
    best = [(table @ each.T).max(axis=1) for each in symmetries]
    return best[0], np.max(best[1:], axis=0)


def _same(correlations: Correlations, patches: int) -> bool:
    """Whether the correlations of a case's patches with `patches` of another are those of a copy."""
    found = np.sort(correlations)[::-1]
    if min(patches, len(found)) == 1:
        return bool(found[0] >= _ONLY)
    return bool(found[0] >= _ONE or found[1] >= _TWO)
