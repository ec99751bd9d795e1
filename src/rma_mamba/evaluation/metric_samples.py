"""The values of each metric over many cases, from which summaries and tests are computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rma_mamba.evaluation.case_scores import CaseScore

Protocol = Literal["per_volume", "paper_per_slice_all", "paper_per_slice_liver"]
Best = Literal["high", "low", "zero"]

# The best value of each metric, which determines the worst patient.
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
class MetricSample:
    """The value of a metric for one volume or slice.

    Args:
        key: Source, patient, case and, for a slice, its number.
        patient: Identifier of the patient.
        value: NaN if undefined.
    """

    key: tuple[str, ...]
    patient: str
    value: float


@dataclass(frozen=True)
class MetricSamples:
    """All values of one metric, for one method and one group of sources; never empty.

    `postprocessing` is what was removed from the masks, as `postprocessing_of` returns it.
    """

    method: str
    group: str
    protocol: Protocol
    metric: str
    samples: tuple[MetricSample, ...]
    postprocessing: str = "as given"

    @property
    def best(self) -> Best:
        """Whether high values, low values or values near zero are best."""
        return METRICS[self.protocol][self.metric]


def metric_samples(cases: Iterable[CaseScore]) -> Iterator[MetricSamples]:
    """The samples of each metric for each method and group, in the order of the cases."""
    for (method, group), members in grouped(cases).items():
        for protocol, metrics in METRICS.items():
            for metric in metrics:
                samples = tuple(_samples(members, protocol, metric))
                if samples:
                    removed = postprocessing_of(members, protocol)
                    yield MetricSamples(method, group, protocol, metric, samples, removed)


def grouped(cases: Iterable[CaseScore]) -> dict[tuple[str, str], list[CaseScore]]:
    """Cases by method and group."""
    groups: dict[tuple[str, str], list[CaseScore]] = {}
    for case in cases:
        groups.setdefault((case.method, case.group), []).append(case)
    return groups


def postprocessing_of(cases: Iterable[CaseScore], protocol: Protocol) -> str:
    """What was removed from the masks that a protocol scores: "standard", "none" or "as given", or several of these."""
    volume = protocol == "per_volume"
    found = {each.postprocessing if volume else each.slice_postprocessing for each in cases}
    return ", ".join(sorted(found))


def patient_means(samples: Iterable[MetricSample]) -> dict[str, float]:
    """The mean of the defined values of each patient; patients without a defined value are omitted."""
    values: dict[str, list[float]] = {}
    for sample in samples:
        if not math.isnan(sample.value):
            values.setdefault(sample.patient, []).append(sample.value)
    return {patient: float(np.mean(each)) for patient, each in values.items()}


def _samples(cases: Sequence[CaseScore], protocol: Protocol, metric: str) -> Iterator[MetricSample]:
    for case in cases:
        key = (case.source, case.patient, case.case)
        if protocol == "per_volume":
            if case.volume is not None:
                yield MetricSample(key, case.patient, getattr(case.volume, metric))
            continue
        for score in case.slices:
            if protocol == "paper_per_slice_all" or score.has_liver:
                yield MetricSample((*key, str(score.number)), case.patient, score.values[metric])
