"""CirrMRI600+."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from indexed_cases import case_named, liver
from layouts import (
    scan,
    write_cirrmri,
)
from rma_mamba.datasets.layouts import (
    open_dataset,
)
from rma_mamba.datasets.layouts.case_reader import read_images


def test_every_sequence_has_the_published_split(tmp_path: Path) -> None:
    dataset = open_dataset("cirrmri600", write_cirrmri(tmp_path))
    counts = Counter((each.sequence, each.split) for each in dataset.cases)
    for sequence in ("T1", "T2"):
        assert [counts[sequence, side] for side in ("train", "val", "test")] == [6, 1, 1]
    assert [counts["T2 2D", side] for side in ("train", "val", "test")] == [1, 1, 1]
    assert counts["T1 healthy", "test"] == counts["T2 healthy", "test"] == 1
    cohorts = {each.dataset for each in dataset.cases if "healthy" in each.sequence}
    assert cohorts == {"cirrmri600-healthy"}  # its patient 1 is not patient 1 of the others
    assert dataset.severity["1"] == "moderate"
    assert dataset.severity["2"] == "severe"
    assert np.array_equal(liver(case_named(dataset, "T2/valid/0007")), scan(107)[1])
    flat = case_named(dataset, "T2 2D/train/0001")
    assert [path.stem for path in flat.images] == [str(k) for k in range(10)]
    parts = [flat.rule.liver_in(part.label.values) for part in read_images(flat) if part.label]
    assert np.array_equal(np.concatenate(parts, axis=2), scan(101)[1])
