"""A shifted label is distinguished from one that is too wide, and few cases are not judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audits import audited, found, label_of
from layouts import save, scan
from rma_mamba.datasets.audit.edge_alignment import EdgeOffset
from rma_mamba.datasets.audit.label_shift import outliers


def test_rough_labels_raise_the_threshold() -> None:
    rough = [EdgeOffset(x, x, x) for x in (-0.4, -0.3, -0.2, 0, 0.2, 0.3, 0.4)]
    assert outliers([*rough, EdgeOffset(0.7, 0.7, 0.7)]) == {}
    assert 7 in outliers([*rough, EdgeOffset(1.8, 1.8, 1.8)])


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("step", [-1, 1])
def test_a_shifted_label_is_found(folders: Path, axis: int, step: int) -> None:
    save(label_of(folders, 3), np.roll(scan(3)[1], step, axis))
    result = audited("folders", folders)
    if (
        axis == 2 and result.errors
    ):  # a slice is a sixth of this liver: a mirrored label fits better
        assert found(result) == {"misplaced label": ("case_3",)}
        return
    assert found(result) == {"shifted label": ("case_3",)}
    assert result.errors == []
    ways = (("left", "right"), ("posterior", "anterior"), ("superior", "inferior"))[axis]
    assert f"further {ways[step > 0]}" in result.findings[0].text
