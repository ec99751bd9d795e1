"""Copies of a scan that are not identical voxel by voxel: cropped, resampled or with other intensities.

Each case's liver in its three largest slices is reduced to patches of 24 x 24 pixels without coarse brightness and
without outliers. On the public scans used in development (CHAOS T2, BTCV, LiTS; 79 cases) patches of different patients
correlated by at most 0.39, and of neighbouring slices of one patient by up to 0.91. Copies resampled to 3/4 of their
size correlated by 0.86 or more in two slices (CHAOS T2, BTCV; 28 cases), cropped or brightened ones by more than 0.99.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from rma_mamba.datasets.audit.case_audit import CaseFacts
from rma_mamba.datasets.audit.duplicates import pair_finding
from rma_mamba.datasets.audit.findings import Finding

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
        best = (table @ np.stack(case.patches).T).max(axis=1)
        for other in np.unique(owners[(best >= _TWO) & (owners > number)]):
            found = np.sort(best[owners == other])[::-1]
            single = min(len(case.patches), len(found)) == 1
            same = found[0] >= _ONLY if single else found[0] >= _ONE or found[1] >= _TWO
            first, second = case.case, cases[other].case
            new = frozenset((first.name, second.name)) not in pairs
            if same and new and not first.same_patient(second):
                text = "duplicates: the images show the same liver, cropped, resampled or with other intensities"
                yield pair_finding("duplicate image", text, first, second)
