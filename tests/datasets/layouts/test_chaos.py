"""CHAOS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from indexed_cases import case_named, liver
from layouts import (
    scan,
    write_chaos,
)
from rma_mamba.datasets.layouts import (
    open_dataset,
)
from rma_mamba.errors import GridError


def test_masks_belong_to_slices_by_file_name(tmp_path: Path) -> None:
    dataset = open_dataset("chaos", write_chaos(tmp_path))
    assert dataset.sequences == ["T1 in phase", "T1 out of phase", "T2", "CT"]
    assert {each.dataset for each in dataset.cases} == {"chaos-mr", "chaos-ct"}
    for number in (1, 2):  # one of them runs from superior to inferior
        for sequence in dataset.sequences[:3]:
            assert np.array_equal(
                liver(case_named(dataset, f"{sequence}/{number}")), scan(10 * number)[1]
            )
        assert np.array_equal(liver(case_named(dataset, f"CT/{number}")), scan(50 + number)[1])


def test_a_missing_mask_of_a_series_is_an_error(tmp_path: Path) -> None:
    next((write_chaos(tmp_path) / "Train_Sets/CT/1/Ground").glob("*.png")).unlink()
    with pytest.raises(GridError, match="10 slices and 9 masks"):
        liver(case_named(open_dataset("chaos", tmp_path), "CT/1"))
