"""A report as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from rma_mamba.evaluation.comparison import PairedTest
from rma_mamba.evaluation.metric_samples import Protocol
from rma_mamba.evaluation.metric_summaries import EmptyCounts, MetricSummary
from rma_mamba.evaluation.score_summary import ScoreSummary

_TITLES: dict[Protocol, tuple[str, str]] = {
    "per_volume": ("per volume, on the scan's own grid", "volumes"),
    "paper_per_slice_all": ("paper_per_slice, all slices, at 256 x 256", "slices"),
    "paper_per_slice_liver": ("paper_per_slice, slices with liver only, at 256 x 256", "slices"),
}
_HEAD = (
    "| metric | mean | 95 % interval | median | quartiles | worst patient | not defined |",
    "|---|---|---|---|---|---|---|",
)
_TESTS_HEAD = (
    "| metric | methods | patients | mean difference | 95 % interval | p | p (Holm) |",
    "|---|---|---|---|---|---|---|",
)


def summary_to_markdown(report: ScoreSummary) -> str:
    """For each method, group and protocol a table of its metrics, then the paired tests."""
    blocks = ["\n".join(_section(counts, report.summaries)) for counts in report.empties]
    tested = dict.fromkeys((test.group, test.protocol) for test in report.tests)
    for group, protocol in tested:
        tests = [each for each in report.tests if (each.group, each.protocol) == (group, protocol)]
        blocks.append("\n".join(_tests(group, protocol, tests)))
    return "\n\n".join(blocks)


def _section(counts: EmptyCounts, summaries: Iterable[MetricSummary]) -> Iterator[str]:
    title, what = _TITLES[counts.protocol]
    yield f"**{counts.method}, {counts.group}: {title}**"
    yield ""
    yield f"{_number(counts.total, what)} of {_number(counts.patients, 'patients')}. {_empties(counts)}"
    yield ""
    yield from _HEAD
    place = counts.method, counts.group, counts.protocol
    for each in summaries:
        if (each.method, each.group, each.protocol) == place:
            yield _row(each)


def _empties(counts: EmptyCounts) -> str:
    return (
        f"Empty masks: both {counts.both}, reference only {counts.reference}, "
        f"prediction only {counts.prediction}."
    )


def _row(of: MetricSummary) -> str:
    mean, low, high, median, lower, upper, worst = (
        _shown(of.metric, value)
        for value in (
            of.mean, of.mean_low, of.mean_high, of.median,
            of.lower_quartile, of.upper_quartile, of.worst,
        )
    )  # fmt: skip
    name = f"{worst} ({of.worst_patient})" if of.worst_patient else worst
    return (
        f"| {of.metric} | {mean} | {_range(low, high)} | {median} | {_range(lower, upper)} "
        f"| {name} | {of.undefined} |"
    )


def _tests(group: str, protocol: Protocol, tests: Iterable[PairedTest]) -> Iterator[str]:
    yield f"**Paired tests, {group}: {_TITLES[protocol][0]}**"
    yield ""
    yield from _TESTS_HEAD
    for test in tests:
        mean, low, high = (
            _shown(test.metric, value)
            for value in (test.mean_difference, test.difference_low, test.difference_high)
        )
        yield (
            f"| {test.metric} | {test.first} - {test.second} | {test.patients} | {mean} "
            f"| {_range(low, high)} | {_p(test.p)} | {_p(test.p_holm)} |"
        )


def _shown(metric: str, value: float) -> str:
    if math.isnan(value):
        return "-"
    digits = 1 if metric.startswith("volume_error") else 2 if metric.endswith("mm") else 3
    digits = 3 if metric == "nsd_2mm" else digits
    return f"{value:z.{digits}f}"


def _range(low: str, high: str) -> str:
    return "-" if low == "-" else f"{low} to {high}"


def _p(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2g}"


def _number(count: int, what: str) -> str:
    return f"{count} {what[:-1] if count == 1 else what}"
