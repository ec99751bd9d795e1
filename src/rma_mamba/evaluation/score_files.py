"""Score files: CSV tables with one row per case, slice, metric or test, and a JSON summary."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rma_mamba.conventions import software
from rma_mamba.evaluation.case_scores import CaseScore
from rma_mamba.evaluation.class_tables import class_rows, lesion_rows
from rma_mamba.evaluation.comparison import PairedTest
from rma_mamba.evaluation.metric_samples import METRICS
from rma_mamba.evaluation.metric_summaries import MetricSummary
from rma_mamba.evaluation.score_summary import ScoreSummary
from rma_mamba.files import remove_outdated, replace_file
from rma_mamba.metrics import VolumeScore

FILES = ("per_case.csv", "per_slice.csv", "summary.csv", "tests.csv", "summary.json")

_NAME = ("method", "source", "group", "patient", "case")
_DECIMALS = 6


def write_scores(folder: Path, cases: Sequence[CaseScore], summary: ScoreSummary) -> None:
    """Write `FILES` to a folder, each one atomically; of several classes, per_class.csv and lesions.csv as well.

    With several runs of a method, the tables of cases have a column `run`, and runs.csv has the mean of each run.
    Undefined values are empty cells in CSV and null in JSON.

    Args:
        folder: Output folder; created if missing, existing files of these names are replaced or removed.
        cases: Scores of all cases.
        summary: Summary of the same cases.

    Raises:
        ScanError: A file cannot be written.
    """
    volume = [each.name for each in fields(VolumeScore)]
    paper = list(METRICS["paper_per_slice_all"])
    name_of = _Names(any(case.run is not None for case in cases))
    tables = {
        "per_case.csv": ([*name_of.columns, *volume], _volume_rows(cases, name_of)),
        "per_slice.csv": (
            [*name_of.columns, "slice", "empty", *paper],
            _slice_rows(cases, name_of),
        ),
        "summary.csv": (_names(MetricSummary), map(asdict, summary.summaries)),
        "tests.csv": (_names(PairedTest), map(asdict, summary.tests)),
    }
    for name, (columns, rows) in tables.items():
        replace_file(folder / name, _csv(columns, rows), "table of scores")
    replace_file(folder / "summary.json", _json(summary), "table of scores")
    optional = {
        "per_class.csv": [{**name_of(case), **row} for case, row in class_rows(cases)],
        "lesions.csv": [{**name_of(case), **row} for case, row in lesion_rows(cases)],
        "runs.csv": list(map(asdict, summary.runs)),
    }
    for name, rows in optional.items():
        if rows:
            replace_file(folder / name, _csv(list(rows[0]), rows), "table of scores")
        else:
            remove_outdated(folder / name, "table of scores")


@dataclass(frozen=True)
class _Names:
    """The columns that identify a case; with its run if methods have several."""

    with_run: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return (*_NAME, "run") if self.with_run else _NAME

    def __call__(self, case: CaseScore) -> dict[str, Any]:
        return {name: getattr(case, name) for name in self.columns}


def _volume_rows(cases: Iterable[CaseScore], name_of: _Names) -> Iterable[dict[str, Any]]:
    for case in cases:
        if case.volume is not None:
            yield {**name_of(case), **asdict(case.volume)}


def _slice_rows(cases: Iterable[CaseScore], name_of: _Names) -> Iterable[dict[str, Any]]:
    for case in cases:
        for score in case.slices:
            yield {**name_of(case), "slice": score.number, "empty": score.empty, **score.values}


def _names(record: type[MetricSummary] | type[PairedTest]) -> list[str]:
    return [each.name for each in fields(record)]


def _csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _json(summary: ScoreSummary) -> bytes:
    draws = "patients and runs" if summary.runs else "patients"
    content = {
        "software": software(),
        "bootstrap": {"resamples": summary.resamples, "seed": summary.seed, "draws": draws},
        "empty_masks": [_defined(asdict(each)) for each in summary.empties],
        "summaries": [_defined(asdict(each)) for each in summary.summaries],
        "tests": [_defined(asdict(each)) for each in summary.tests],
        **({"runs": [_defined(asdict(each)) for each in summary.runs]} if summary.runs else {}),
    }
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()


def _defined(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _cell(value) for name, value in row.items()}


def _cell(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else round(value, _DECIMALS)
