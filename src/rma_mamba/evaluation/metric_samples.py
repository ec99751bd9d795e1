"""The values of one metric, taken out of the scores of many cases."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rma_mamba.evaluation.case_scores import CaseScore

Protocol = Literal["per_volume", "paper_per_slice_all", "paper_per_slice_liver"]
Best = Literal["high", "low", "zero"]

# Which way a metric is good: it tells who is worst.
_OVERLAPS: dict[str, Best] = dict.fromkeys(("dice", "iou", "recall", "precision", "f2"), "high")
_VOLUME: dict[str, Best] = {
    **_OVERLAPS,
    "hd_mm": "low",
    "hd95_mm": "low",
    "assd_mm": "low",
    "nsd_2mm": "high",
    "volume_error_ml": "zero",
    "volume_error_percent": "zero",
}
_PAPER: dict[str, Best] = {**_OVERLAPS, "row_distance_paper": "low"}
METRICS: dict[Protocol, dict[str, Best]] = {
    "per_volume": _VOLUME,
    "paper_per_slice_all": _PAPER,
    "paper_per_slice_liver": _PAPER,
}


@dataclass(frozen=True)
class Sample:
    """One value.

    Args:
        which: Source, patient, case and, if there is one, slice.
        patient: Whose it is.
        value: NaN if it is not defined.
    """

    which: tuple[str, ...]
    patient: str
    value: float


@dataclass(frozen=True)
class SampleSet:
    """All values of one metric of one method on one group of sources; there is at least one."""

    method: str
    group: str
    protocol: Protocol
    metric: str
    samples: tuple[Sample, ...]

    @property
    def best(self) -> Best:
        """Which way the metric is good."""
        return METRICS[self.protocol][self.metric]


def sample_sets(cases: Iterable[CaseScore]) -> Iterator[SampleSet]:
    """Every metric of every method on every group, in the order of the cases."""
    for (method, group), found in grouped(cases).items():
        for protocol, metrics in METRICS.items():
            for metric in metrics:
                samples = tuple(_samples(found, protocol, metric))
                if samples:
                    yield SampleSet(method, group, protocol, metric, samples)


def grouped(cases: Iterable[CaseScore]) -> dict[tuple[str, str], list[CaseScore]]:
    """Cases by method and group."""
    groups: dict[tuple[str, str], list[CaseScore]] = {}
    for case in cases:
        groups.setdefault((case.method, case.group), []).append(case)
    return groups


def patient_means(samples: Iterable[Sample]) -> dict[str, float]:
    """Means of the values that are defined; patients without any have no mean."""
    found: dict[str, list[float]] = {}
    for sample in samples:
        if not math.isnan(sample.value):
            found.setdefault(sample.patient, []).append(sample.value)
    return {patient: float(np.mean(values)) for patient, values in found.items()}


def _samples(cases: Sequence[CaseScore], protocol: Protocol, metric: str) -> Iterator[Sample]:
    for case in cases:
        which = (case.source, case.patient, case.case)
        if protocol == "per_volume":
            if case.volume is not None:
                yield Sample(which, case.patient, getattr(case.volume, metric))
            continue
        for score in case.slices:
            if protocol == "paper_per_slice_all" or score.has_liver:
                number = str(score.number)
                yield Sample((*which, number), case.patient, score.values[metric])
