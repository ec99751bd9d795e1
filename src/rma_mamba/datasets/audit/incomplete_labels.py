"""Labels that mark only a part of the liver: most of the label lies in the network's liver, which is much larger.

On the public volumes used in development (CHAOS and BTCV; 42 of several slices) the network found at most 0.20 of its
liver outside the label, and at most 0.07 in slices without label. With a third of the labelled slices cleared, it was
at least 0.16 in such slices, and at least 0.31 with half of them; with the left or right half of the liver cleared,
at least 0.39 outside the label.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rma_mamba.datasets.audit.case_audit import CaseFacts
from rma_mamba.datasets.audit.findings import Finding, Level
from rma_mamba.datasets.audit.label_fit import network_is_reliable

_OUTSIDE, _IN_OTHER_SLICES = 0.35, 0.25  # of the network's liver: an error
_SUSPECT = 0.15  # in slices without label: a warning
_WITHIN = 0.75  # of the label that must lie in the network's liver, so that the network is believed
_FEWEST_SLICES = 4  # of a sketch


def incomplete_labels(cases: Sequence[CaseFacts]) -> Iterator[Finding]:
    """Findings about labels of volumes that leave a part of the liver out; one per case.

    The network is asked only if it agrees with the labels of most cases of the sequence.
    """
    if not network_is_reliable(cases):
        return
    for case in cases:
        found = _left_out(case)
        if found is not None:
            yield Finding("implausible label", *found, (case.case.name,))


def _left_out(case: CaseFacts) -> tuple[Level, str] | None:
    sketch, network = case.sketch, case.network_liver
    if sketch is None or network is None or case.case.kind != "volume":
        return None
    label, liver = sketch.label > 0, network > 0
    common, total = np.count_nonzero(label & liver), np.count_nonzero(liver)
    if label.shape[2] < _FEWEST_SLICES or common < _WITHIN * np.count_nonzero(label):
        return None
    outside = 1 - common / total
    other_slices = np.count_nonzero(liver[:, :, ~label.any(axis=(0, 1))]) / total
    advice = "expected a label of the whole liver. Complete it, or leave the case out."
    if other_slices >= _SUSPECT:
        text = f"the bundled network finds {other_slices:.0%} of the liver in slices without label; {advice}"
        return ("error" if other_slices >= _IN_OTHER_SLICES else "warning"), text
    if outside >= _OUTSIDE:
        text = f"the bundled network finds {outside:.0%} of the liver next to the label; {advice}"
        return "error", text
    return None
