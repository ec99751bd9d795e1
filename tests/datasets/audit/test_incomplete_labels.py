"""A label that marks a part of the liver only is found by the network, which sees the rest."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from audits import bright, label_of
from layouts import save
from rma_mamba.datasets.audit import AuditResult, Judgement, audit
from rma_mamba.datasets.layouts import open_dataset
from rma_mamba.volume import Volume

Array = np.ndarray


def everything(volume: Volume) -> Judgement:
    """A judge that takes everything for liver."""
    return Judgement(np.ones(volume.values.shape, np.uint8))


def checked(
    root: Path, change: Callable[[Array], Array], judge: Callable[[Volume], Judgement] = bright
) -> AuditResult:
    """The audit of a dataset in which the label of the second case is changed."""
    path = label_of(root, 2)
    label = nib.load(path)
    save(path, change(np.asanyarray(label.dataobj).copy()), label.affine)
    return audit(open_dataset("folders", root), judge=judge)


def without_slices(at: slice) -> Callable[[Array], Array]:
    def change(label: Array) -> Array:
        label[:, :, at] = 0
        return label

    return change


def without_columns(at: slice) -> Callable[[Array], Array]:
    def change(label: Array) -> Array:
        label[at] = 0
        return label

    return change


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (without_slices(slice(5, None)), "in slices without label"),
        (without_slices(slice(6)), "in slices without label"),
        (without_columns(slice(16)), "next to the label"),
    ],
)
def test_a_label_of_half_a_liver_is_an_error(
    folders: Path, change: Callable[[Array], Array], where: str
) -> None:
    texts = [each.text for each in checked(folders, change).errors]
    assert any(f"of the liver {where}" in text for text in texts), texts


def test_a_sound_label_is_not_reported(folders: Path) -> None:
    assert not checked(folders, lambda label: label).findings


def test_a_network_that_marks_too_much_everywhere_is_not_believed(folders: Path) -> None:
    assert not checked(folders, lambda label: label, everything).findings
