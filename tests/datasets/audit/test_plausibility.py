"""Images and labels that cannot be right are errors of their case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from audits import audited, found, label_of
from layouts import save, scan
from rma_mamba.datasets.audit.plausibility import lossy_masks
from rma_mamba.datasets.layouts import open_dataset

Array = np.ndarray
LPS = np.diag([-3.0, -3.0, 5.0, 1.0])


def _spoil(path: Path, change: Callable[[Array], Array]) -> None:
    image = nib.load(path)
    save(path, change(np.asanyarray(image.dataobj).copy()), image.affine)


def _noise(label: Array) -> Array:
    return (np.random.default_rng(0).random(label.shape) < 0.3).astype(np.uint8)


def _salted(label: Array) -> Array:
    return label | (np.random.default_rng(0).random(label.shape) < 0.15).astype(np.uint8)


def _tiny(label: Array) -> Array:
    label[:] = 0
    label[20:23, 20:22, 4:6] = 1
    return label


def _with_nan(label: Array) -> Array:
    values = label.astype(np.float32)
    values[20, 20, 5] = np.nan
    return values


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        (lambda label: 1 - label, "implausible label", "marks the background"),
        (lambda label: label * 0 + 1, "implausible label", "marks the background"),
        (_noise, "implausible label", "scattered voxels"),
        (_salted, "implausible label", "scattered voxels"),
        (_tiny, "implausible label", "is tiny: 0.24 cm2"),
        (_with_nan, "label values", "1 voxels were not finite numbers in the label"),
    ],
)
def test_a_label_that_cannot_be_a_liver_is_an_error(
    folders: Path, change: Callable[[Array], Array], kind: str, text: str
) -> None:
    _spoil(label_of(folders, 2), change)
    result = audited("folders", folders)
    (error,) = result.errors
    assert (error.kind, error.cases) == (kind, ("case_2",))
    assert text in error.text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda image: image * 0 + 7, "have the value 7"),
        (lambda image: np.where(image == image.max(), np.nan, image), "not finite numbers"),
        (lambda image: np.where(np.arange(10) == 5, 0, image), "1 slices with liver have an empty"),
    ],
)
def test_an_image_without_a_scan_is_an_error(
    folders: Path, change: Callable[[Array], Array], text: str
) -> None:
    _spoil(folders / "images" / "case_2.nii.gz", lambda image: change(image.astype(np.float32)))
    (error,) = audited("folders", folders).errors
    assert (error.kind, error.cases) == ("image values", ("case_2",))
    assert text in error.text


@pytest.mark.parametrize(("factor", "background"), [(1, 0), (-37.5, 12)])
def test_an_image_that_repeats_its_label_is_an_error(
    folders: Path, factor: float, background: float
) -> None:
    label = nib.load(label_of(folders, 2))
    values = np.asanyarray(label.dataobj) * np.float32(factor) + np.float32(background)
    save(folders / "images" / "case_2.nii.gz", values, label.affine)
    (error,) = audited("folders", folders).errors
    assert "only repeats its label" in error.text


@pytest.mark.parametrize(
    ("crop", "side"),
    [
        (np.s_[14:], "right"),
        (np.s_[:12], "left"),
        (np.s_[:, 16:], "anterior"),
        (np.s_[:, :16], "posterior"),
    ],
)
def test_a_liver_that_reaches_the_edge_of_its_slices_is_a_warning(
    folders: Path, crop: Any, side: str
) -> None:
    for path in (folders / "images" / "case_2.nii.gz", label_of(folders, 2)):
        image = nib.load(path)
        save(path, np.asanyarray(image.dataobj)[crop], LPS)
    texts = [each.text for each in audited("folders", folders).findings]
    assert any(f"the liver reaches the {side} edge of the image over" in text for text in texts)


@pytest.mark.parametrize(("factor", "level"), [(6, "warning"), (10, "error")])
def test_a_liver_that_is_far_too_large_has_a_wrong_spacing(
    folders: Path, factor: float, level: str
) -> None:
    for path in (folders / "images" / "case_2.nii.gz", label_of(folders, 2)):
        image = nib.load(path)
        save(path, np.asanyarray(image.dataobj), image.affine @ np.diag([factor] * 3 + [1]))
    about = [each for each in audited("folders", folders).findings if "litres" in each.text]
    assert [(each.level, each.cases) for each in about] == [(level, ("case_2",))]


def test_a_slice_left_out_by_the_rater_is_a_warning(folders: Path) -> None:
    _spoil(label_of(folders, 2), lambda label: np.where(np.arange(10) == 5, 0, label).astype("u1"))
    assert found(audited("folders", folders)) == {"implausible label": ("case_2",)}


def test_jpeg_masks_are_one_warning_for_all_cases(folders: Path) -> None:
    cases = [
        replace(case, labels=(Path("a.JPG"),)) for case in open_dataset("folders", folders).cases
    ]
    (warning,) = lossy_masks(cases)
    assert (warning.level, warning.cases) == ("warning", ())
    assert "masks are JPEG in 6 cases" in warning.text
    assert list(lossy_masks(open_dataset("folders", folders).cases)) == []


def test_labels_of_every_second_slice_are_a_warning(folders: Path) -> None:
    path = label_of(folders, 3)
    liver = scan(3)[1].copy()
    liver[:, :, ::2] = 0
    save(path, liver)
    texts = [each.text for each in audited("folders", folders).findings]
    assert any("slices without label lie between slices with liver" in text for text in texts)
