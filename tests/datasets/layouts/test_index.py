"""The index of a dataset can be restricted to sequences."""

from __future__ import annotations

from pathlib import Path

import pytest

from layouts import (
    write_cirrmri,
)
from rma_mamba.datasets.layouts import (
    open_dataset,
)
from rma_mamba.datasets.layouts.index import LayoutOptions, unmatched_labels
from rma_mamba.errors import ConfigError


def test_the_error_for_an_unknown_sequence_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected one of T1, T2, T2 2D"):
        open_dataset("cirrmri600", write_cirrmri(tmp_path), sequences=["T3"])


@pytest.mark.parametrize("pattern", ["(", "case", "x(.*)"])
def test_a_pattern_without_patient_id_is_an_error(pattern: str) -> None:
    assert LayoutOptions(patient=r"case_(\d+).*").patient_of("case_07b") == "07"
    assert LayoutOptions().patient_of("case_07b") == "case_07b"
    with pytest.raises(ConfigError, match="--patient"):
        LayoutOptions(patient=pattern).patient_of("case_07b")


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ()),
        (1, ("1 label of T1 without an image: skipped.",)),
        (2, ("2 labels of T1 without an image: skipped.",)),
    ],
)
def test_labels_without_an_image_are_counted(count: int, expected: tuple[str, ...]) -> None:
    assert unmatched_labels(count, "T1") == expected
