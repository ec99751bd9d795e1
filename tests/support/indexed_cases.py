"""Cases of small datasets."""

from __future__ import annotations

import numpy as np

from rma_mamba.datasets.layouts import (
    DatasetIndex,
    IndexedCase,
)
from rma_mamba.datasets.layouts.case_reader import read_images


def case_named(dataset: DatasetIndex, name: str) -> IndexedCase:
    return next(each for each in dataset.cases if each.name == name)


def liver(case: IndexedCase) -> np.ndarray:
    (part,) = read_images(case)
    assert part.label is not None
    assert part.label.geometry.matches(part.image.geometry)
    return case.rule.liver_in(part.label.values)
