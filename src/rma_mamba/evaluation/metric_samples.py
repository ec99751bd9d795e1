"""The values of each metric over many cases, from which summaries and tests are computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rma_mamba.evaluation.case_scores import CaseScore

Protocol = Literal["per_volume", "paper_per_slice_all", "paper_per_slice_liver", "per_class"]
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
# The Dice of a class where the reference has it: a prediction without the class is not rewarded where there is none.
PRESENT = "dice_if_present"
# The metrics of a protocol; for per_class, those of each class, as `class_metric` names them.
METRICS: dict[Protocol, dict[str, Best]] = {
    "per_volume": _VOLUME,
    "paper_per_slice_all": _PAPER,
    "paper_per_slice_liver": _PAPER,
    "per_class": {**_VOLUME, PRESENT: "high"},
}
_FIELDS = {PRESENT: "dice"}  # of a volume score


@dataclass(frozen=True)
class MetricSample:
    """The value of a metric for one volume or slice.

    Args:
        key: Source, patient, case and, for a slice, its number.
        patient: Identifier of the patient.
        value: NaN if undefined.
        run: Training run of the method; None: it has one.
    """

    key: tuple[str, ...]
    patient: str
    value: float
    run: int | None = None


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
        return METRICS[self.protocol][self.metric.split()[-1]]

    @property
    def runs(self) -> tuple[int | None, ...]:
        """The training runs, in the order of the cases."""
        return tuple(dict.fromkeys(sample.run for sample in self.samples))


def metric_samples(cases: Iterable[CaseScore]) -> Iterator[MetricSamples]:
    """The samples of each metric for each method and group, in the order of the cases."""
    for (method, group), members in grouped(cases).items():
        for protocol in METRICS:
            for metric in _metrics(members, protocol):
                samples = tuple(_samples(members, protocol, metric))
                if samples:
                    removed = postprocessing_of(members, protocol)
                    yield MetricSamples(method, group, protocol, metric, samples, removed)


def class_metric(name: str, metric: str) -> str:
    """The name of a metric of one class, such as "tumour dice"."""
    return f"{name} {metric}"


def class_names(cases: Iterable[CaseScore]) -> list[str]:
    """The classes that were scored, in order; empty if the liver alone was scored."""
    return list(dict.fromkeys(each.name for case in cases for each in case.classes))


def grouped(cases: Iterable[CaseScore]) -> dict[tuple[str, str], list[CaseScore]]:
    """Cases by method and group."""
    groups: dict[tuple[str, str], list[CaseScore]] = {}
    for case in cases:
        groups.setdefault((case.method, case.group), []).append(case)
    return groups


def postprocessing_of(cases: Iterable[CaseScore], protocol: Protocol) -> str:
    """What was removed from the masks that a protocol scores: "standard", "none" or "as given", or several of these."""
    by_slice = protocol in ("paper_per_slice_all", "paper_per_slice_liver")
    found = {each.slice_postprocessing if by_slice else each.postprocessing for each in cases}
    return ", ".join(sorted(found))


def patient_means(samples: Iterable[MetricSample]) -> dict[str, float]:
    """The mean of the defined values of each patient over all runs; patients without one are omitted."""
    values: dict[str, list[float]] = {}
    for sample in samples:
        if not math.isnan(sample.value):
            values.setdefault(sample.patient, []).append(sample.value)
    return {patient: float(np.mean(each)) for patient, each in values.items()}


def averaged_over_runs(samples: Iterable[MetricSample]) -> list[MetricSample]:
    """Each volume or slice once, with the mean of its defined values over all runs."""
    found: dict[tuple[str, ...], list[MetricSample]] = {}
    for sample in samples:
        found.setdefault(sample.key, []).append(sample)
    return [MetricSample(key, each[0].patient, _mean(each)) for key, each in found.items()]


def _mean(samples: Sequence[MetricSample]) -> float:
    values = [each.value for each in samples if not math.isnan(each.value)]
    return float(np.mean(values)) if values else math.nan


def _metrics(cases: Sequence[CaseScore], protocol: Protocol) -> list[str]:
    metrics = list(METRICS[protocol])
    if protocol != "per_class":
        return metrics
    return [class_metric(name, metric) for name in class_names(cases) for metric in metrics]


def _samples(cases: Sequence[CaseScore], protocol: Protocol, metric: str) -> Iterator[MetricSample]:
    for case in cases:
        key = (case.source, case.patient, case.case)
        for suffix, value in _values(case, protocol, metric):
            yield MetricSample((*key, *suffix), case.patient, value, case.run)


def _values(
    case: CaseScore, protocol: Protocol, metric: str
) -> Iterator[tuple[tuple[str, ...], float]]:
    """What a value belongs to within a case, and the value."""
    if protocol == "per_volume":
        if case.volume is not None:
            yield (), getattr(case.volume, metric)
    elif protocol == "per_class":
        name, _, of_class = metric.partition(" ")
        scores = [each.score for each in case.classes if each.name == name]
        if of_class == PRESENT:
            scores = [score for score in scores if score.empty in ("neither", "prediction")]
        yield from (((), getattr(score, _FIELDS.get(of_class, of_class))) for score in scores)
    else:
        for score in case.slices:
            if protocol == "paper_per_slice_all" or score.has_liver:
                yield (str(score.number),), score.values[metric]
