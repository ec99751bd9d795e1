"""One table of the measurements of all cases of a cohort, with a column for the case."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from rma_mamba.files import replace_file

JOINT_TABLE = "measurements.csv"

_CASE, _ERROR = "case", "error"


def write_joint_table(
    path: Path, tables: Mapping[str, Path], failures: Mapping[str, str], order: Iterable[str]
) -> None:
    """Join the tables of measurements of single cases.

    The first column is the name of the case, the last one the type of the error of a case that failed, which has no
    measurements. Columns that not all tables have are empty in the others.

    Args:
        path: The file to write.
        tables: The table of each completed case, by name of the case.
        failures: Type of the error of each case that failed.
        order: Names of the cases in the order of the rows; cases that are neither completed nor failed are left out.

    Raises:
        ScanError: The file cannot be written.
        OSError: A table cannot be read.
    """
    rows: list[dict[str, str]] = []
    for case in order:
        if case in tables:
            rows += ({_CASE: case, **row} for row in _rows(tables[case]))
        elif case in failures:
            rows.append({_CASE: case, _ERROR: failures[case]})
    columns = dict.fromkeys(
        [_CASE, *(name for row in rows for name in row if name != _ERROR), _ERROR]
    )
    text = io.StringIO()
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    replace_file(path, text.getvalue().encode("utf-8", "surrogateescape"), "table of measurements")


def is_joint_table(path: Path) -> bool:
    """Whether a file is such a table of an earlier run."""
    try:
        with path.open("rb") as file:
            return file.readline(2**16).startswith(b"case,volume_ml,")
    except OSError:
        return False


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
