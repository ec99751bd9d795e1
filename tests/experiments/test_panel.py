"""Example slices show the patients on whom networks disagree, at the level of the largest liver area."""

import numpy as np

from rma_mamba.evaluation import CaseName, CaseScore, score_case
from rma_mamba.experiments import panel
from rma_mamba.inference import Segmentation
from rma_mamba.volume import Geometry, Mask, Volume

SHAPE = (20, 20, 6)


def case(method: str, patient: str, shift: int, group: str = "MR") -> CaseScore:
    reference = np.zeros(SHAPE, np.uint8)
    reference[4:14, 4:14, 1:5] = 1
    geometry = Geometry(SHAPE, np.diag([2.0, 2.0, 5.0, 1.0]))
    name = CaseName(method, group, group, patient, patient)
    return score_case(name, reference, np.roll(reference, shift, axis=0), geometry)


def test_patients_are_ordered_by_the_range_of_their_dice() -> None:
    shifts = {"1": (0, 1), "2": (0, 5), "3": (4, 4)}
    cases = [
        case(method, patient, shift)
        for patient, both in shifts.items()
        for method, shift in zip("ab", both, strict=True)
    ]
    other = case("a", "9", 9, group="CT")
    assert panel._by_disagreement([*cases, other], "MR") == [("MR", "2"), ("MR", "1"), ("MR", "3")]


def test_a_row_shows_the_slice_with_the_largest_liver_area() -> None:
    geometry = Geometry(SHAPE, np.diag([2.0, 2.0, 5.0, 1.0]))
    reference = np.zeros(SHAPE, np.uint8)
    reference[4:8, 4:8, 1] = 1
    reference[4:14, 4:14, 3] = 1
    volume = Volume(100.0 * reference.astype(np.float32), geometry, "MR")
    seen: list[Volume] = []

    def segmenter(scan: Volume, *, modality: str | None) -> Segmentation:
        seen.append(scan)
        return Segmentation(Mask(np.roll(reference, 1, axis=0), geometry), "MR")

    row = panel._row("patient 1", volume, reference, {"shifted": segmenter})  # type: ignore[dict-item]
    assert seen == [volume]
    assert row.reference.sum() == row.found["shifted"].sum() == 100
    assert (row.reference & row.found["shifted"]).sum() == 90
    assert row.image.shape == row.reference.shape == (20, 20)
    assert row.aspect == 1
