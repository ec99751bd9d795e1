"""A score summary as Markdown tables."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator

from rma_mamba.evaluation.comparison import PairedTest
from rma_mamba.evaluation.metric_samples import Protocol
from rma_mamba.evaluation.metric_summaries import EmptyCounts, MetricSummary
from rma_mamba.evaluation.score_summary import ScoreSummary

_TITLES: dict[Protocol, tuple[str, str]] = {
    "per_volume": ("per volume, on the scan's own grid", "volumes"),
    "paper_per_slice_all": ("paper_per_slice, all slices, at 256 x 256", "slices"),
    "paper_per_slice_liver": (
        "paper_per_slice, liver-containing slices only, at 256 x 256",
        "slices",
    ),
    "per_class": ("per class, on the scan's own grid", "volumes"),
}
_SOME = "differs between cases"
POSTPROCESSING = defaultdict(
    lambda: _SOME,
    {
        "standard": "standard (small or distant components, lung, gas, fat and bone removed)",
        "none": "none (raw threshold of the probability)",
        "as given": "masks as given",
    },
)
_HEAD = (
    "| metric | mean | 95% CI | median | quartiles | worst patient | undefined |",
    "|---|---|---|---|---|---|---|",
)
_TESTS_HEAD = (
    "| metric | methods | patients | mean difference | 95% CI | p | p (Holm) |",
    "|---|---|---|---|---|---|---|",
)


def summary_to_markdown(summary: ScoreSummary) -> str:
    """A table of metrics for each method, group and protocol, followed by the paired tests."""
    blocks = [
        "\n".join(_section(counts, summary.summaries))
        for counts in summary.empties
        if counts.protocol != "per_class"  # a table of its own, as `classes_to_markdown`
    ]
    tested = dict.fromkeys((test.group, test.protocol) for test in summary.tests)
    for group, protocol in tested:
        tests = [each for each in summary.tests if (each.group, each.protocol) == (group, protocol)]
        blocks.append("\n".join(_tests(group, protocol, tests)))
    return "\n\n".join(blocks)


def _section(counts: EmptyCounts, summaries: Iterable[MetricSummary]) -> Iterator[str]:
    title, unit = _TITLES[counts.protocol]
    yield f"**{counts.method}, {counts.group}: {title}**"
    yield ""
    number = f"{_count(counts.total, unit)} of {_count(counts.patients, 'patients')}"
    number += f" in {counts.runs} runs." if counts.runs > 1 else "."
    yield f"{number} {_empties(counts)} Post-processing: {POSTPROCESSING[counts.postprocessing]}."
    yield ""
    yield from _HEAD
    key = counts.method, counts.group, counts.protocol
    for each in summaries:
        if (each.method, each.group, each.protocol) == key:
            yield _row(each)


def _empties(counts: EmptyCounts) -> str:
    return (
        f"Empty masks: both {counts.both}, reference only {counts.reference}, "
        f"prediction only {counts.prediction}."
    )


def _row(summary: MetricSummary) -> str:
    mean, low, high, median, lower, upper, worst = (
        _format(summary.metric, value)
        for value in (
            summary.mean, summary.mean_low, summary.mean_high, summary.median,
            summary.lower_quartile, summary.upper_quartile, summary.worst,
        )
    )  # fmt: skip
    worst = "undefined" if summary.worst_patient and worst == "-" else worst
    name = f"{worst} ({summary.worst_patient})" if summary.worst_patient else worst
    if not math.isnan(summary.sd_over_runs):
        mean += f" ± {_format(summary.metric, summary.sd_over_runs)}"
    return (
        f"| {summary.metric} | {mean} | {_range(low, high)} | {median} | {_range(lower, upper)} "
        f"| {name} | {summary.undefined} |"
    )


def _tests(group: str, protocol: Protocol, tests: Iterable[PairedTest]) -> Iterator[str]:
    yield f"**Paired tests, {group}: {_TITLES[protocol][0]}**"
    yield ""
    yield from _TESTS_HEAD
    for test in tests:
        mean, low, high = (
            _format(test.metric, value)
            for value in (test.mean_difference, test.difference_low, test.difference_high)
        )
        yield (
            f"| {test.metric} | {test.first} - {test.second} | {_tested(test)} | {mean} "
            f"| {_range(low, high)} | {_p(test.p)} | {_p(test.p_holm)} |"
        )


def _tested(test: PairedTest) -> str:
    """Number of patients, and of samples that are undefined for one of the methods."""
    return f"{test.patients} ({test.left_out} left out)" if test.left_out else f"{test.patients}"


def _format(name: str, value: float) -> str:
    metric = name.split()[-1]  # without the class
    if math.isnan(value):
        return "-"
    digits = 1 if metric.startswith("volume_error") else 2 if metric.endswith("mm") else 3
    digits = 3 if metric == "nsd_2mm" else digits
    return f"{value:z.{digits}f}"


def _range(low: str, high: str) -> str:
    return "-" if low == "-" else f"{low} to {high}"


def _p(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2g}"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun[:-1] if count == 1 else noun}"
