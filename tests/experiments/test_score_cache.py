"""Stored scores are reused only for the same inputs."""

import math
from pathlib import Path

import numpy as np
import pytest

from rma_mamba.evaluation import CaseName, CaseScore, score_case
from rma_mamba.experiments.score_cache import fingerprint, load_scores, save_scores
from rma_mamba.volume import Geometry


@pytest.fixture
def case() -> CaseScore:
    """A case whose distances are undefined."""
    reference = np.zeros((6, 6, 3), np.uint8)
    reference[1:4, 1:4, 1] = 1
    name = CaseName("ours", "MR", "MR", "1", "case_1")
    geometry = Geometry(reference.shape, np.eye(4))
    return score_case(name, reference, np.zeros_like(reference), geometry)


def test_scores_are_stored_with_all_their_values(tmp_path: Path, case: CaseScore) -> None:
    path = tmp_path / "scores.json"
    save_scores(path, "key", [case])
    (found,) = load_scores(path, "key") or []
    assert found.volume is not None
    assert math.isnan(found.volume.hd95_mm)
    assert (found.case, found.volume.dice, found.slices) == ("case_1", 0, case.slices)


def test_scores_of_other_inputs_are_not_used(tmp_path: Path, case: CaseScore) -> None:
    path = tmp_path / "scores.json"
    assert load_scores(path, "key") is None
    save_scores(path, "key", [case])
    assert load_scores(path, "other key") is None
    path.write_text(path.read_text()[:-5])
    assert load_scores(path, "key") is None


def test_a_fingerprint_depends_on_every_input() -> None:
    inputs = (b"weights", {"b": 1, "a": [2]}, "name")
    assert fingerprint(*inputs) == fingerprint(b"weights", {"a": [2], "b": 1}, "name")
    others = [(b"weight", *inputs[1:]), (inputs[0], {"a": [2]}, "name"), (*inputs[:2], "nam", "e")]
    assert len({fingerprint(*inputs), *(fingerprint(*each) for each in others)}) == 4
