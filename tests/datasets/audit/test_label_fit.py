"""A label that is mirrored, turned or of another patient is an error; the network alone only warns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from audits import audited, bright, label_of
from layouts import save, write_folders
from rma_mamba.datasets.audit import Judgement, audit
from rma_mamba.datasets.audit.case_audit import CaseFacts
from rma_mamba.datasets.audit.label_fit import edge_distance, misplaced_labels, placements
from rma_mamba.datasets.audit.sketch import Sketch
from rma_mamba.datasets.layouts import open_dataset
from rma_mamba.volume import Volume

Array = np.ndarray


def blind(volume: Volume) -> Judgement:
    """A judge that is right for most scans, but finds nothing in one of them."""
    found = bright(volume).liver
    return Judgement(found * np.uint8(volume.values.flat[0] != _MARK), ("left/right",))


_MARK = 999


def _relabel(path: Path, change: Callable[[Array], Array]) -> None:
    label = nib.load(path)
    save(path, change(np.asanyarray(label.dataobj)), label.affine)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda label: label[::-1], "mirrored against the image (left and right exchanged)"),
        (lambda label: label[::-1, ::-1], "mirrored against the image"),
    ],
)
def test_a_mirrored_label_is_an_error(folders: Path, change, text: str) -> None:
    _relabel(label_of(folders, 2), change)
    (error,) = audited("folders", folders).errors
    assert (error.kind, error.cases) == ("misplaced label", ("case_2",))
    assert text in error.text


def test_exchanged_labels_are_errors_of_both_patients(tmp_path: Path) -> None:
    root = write_folders(tmp_path, 4)
    _relabel(label_of(root, 1), lambda label: np.roll(label, 5, 0))
    image = root / "images" / "case_1.nii.gz"
    _relabel(image, lambda values: np.roll(values, 5, 0))
    first, second = (label_of(root, n).read_bytes() for n in (1, 2))
    label_of(root, 1).write_bytes(second)
    label_of(root, 2).write_bytes(first)
    errors = audited("folders", root).errors
    assert {error.kind for error in errors} == {"misplaced label"}
    assert {error.cases for error in errors} == {("case_1",), ("case_2",)}
    assert "the label of case_2 fits the image clearly better" in errors[0].text


def test_a_network_alone_only_warns_and_is_believed_only_if_it_is_usually_right(
    tmp_path: Path,
) -> None:
    root = write_folders(tmp_path, 5)
    image = nib.load(root / "images" / "case_2.nii.gz")
    values = np.asanyarray(image.dataobj).copy()
    values[:4, :4, :] = _MARK
    save(root / "images" / "case_2.nii.gz", values, image.affine)
    dataset = open_dataset("folders", root)
    result = audit(dataset, judge=blind)
    kinds = [finding.kind for finding in result.findings]
    assert (kinds.count("misplaced label"), result.errors) == (1, [])
    assert "disagrees with the bundled network (Dice 0.00)" in result.findings[0].text
    assert kinds.count("orientation") == 5
    facts = [replace(case, network_dice=0.1) for case in result.cases]
    assert list(misplaced_labels(facts)) == []


def test_both_judges_together_are_an_error(tmp_path: Path) -> None:
    root = write_folders(tmp_path, 5)
    _relabel(label_of(root, 2), lambda label: np.roll(label[::2].repeat(2, 0), (17, 9), (0, 1)))
    (error,) = audit(open_dataset("folders", root), judge=bright).errors
    assert (error.kind, error.cases) == ("misplaced label", ("case_2",))


def test_edges_are_measured_between_0_and_1() -> None:
    label = np.zeros((40, 40, 4), np.uint8)
    label[10:30, 10:30] = 1
    sharp = Sketch(label * np.uint8(200), label, label.shape)
    assert edge_distance(sharp, sharp.border) == 1
    flat = replace(sharp, levels=np.full_like(label, 9))
    assert edge_distance(flat, flat.border) == 0
    empty = replace(sharp, label=label * np.uint8(0))
    assert edge_distance(empty, empty.border) is None


def test_a_symmetry_moves_voxels_as_it_moves_labels() -> None:
    label = (np.random.default_rng(0).random((6, 6, 3)) < 0.3).astype(np.uint8)
    for placement in placements(label.shape):
        voxels = placement.of_voxels(np.array(np.nonzero(label)), label.shape)
        moved = np.zeros_like(label)
        moved[tuple(voxels)] = 1
        assert np.array_equal(moved, placement.of_label(label))
    assert len(placements((6, 6, 3))) == 15
    assert len(placements((6, 5, 1))) == 3


def _square(at: int, slices: int) -> Array:
    label = np.zeros((40, 40, slices), np.uint8)
    label[at : at + 12, 12:24] = 1
    return label


@pytest.mark.parametrize(("slices", "kinds"), [(4, ["misplaced label"]), (2, [])])
def test_of_one_or_two_slices_the_network_must_find_a_larger_gain(
    folders: Path, slices: int, kinds: list[str]
) -> None:
    """The network sees a liver that fits the mirrored label a little better; edges do not tell the two apart."""
    case = open_dataset("folders", folders).cases[0]
    label, seen = _square(13, slices), _square(15, slices)
    flat = np.full(label.shape, 7, np.uint8)
    facts = CaseFacts(
        case,
        sketch=Sketch(flat, label, label.shape),
        network_liver=seen,
        network_dice=float(2 * (label & seen).sum() / (label.sum() + seen.sum())),
    )
    errors = [each for each in misplaced_labels([facts]) if each.level == "error"]
    assert [each.kind for each in errors] == kinds
