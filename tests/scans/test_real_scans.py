"""Public research scans, where they lie beside the project: real headers, real orientation."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from public_scans import DATA, needs_public_scans
from rma_mamba.scans import read_scan, write_mask
from rma_mamba.volume import Mask

EXAMPLES = DATA / "scans_totalsegmentator"
LIVER = 5

pytestmark = needs_public_scans


def first_files(folder: str, count: int = 3) -> list[Path]:
    return sorted((DATA / folder / "images").glob("*.nii.gz"))[:count]


def test_a_dicom_series_and_its_nifti_mask_share_a_grid_with_reversed_rows() -> None:
    scan = read_scan(EXAMPLES / "example_ct_dicom")
    mask = read_scan(EXAMPLES / "example_seg_dicom.nii.gz")
    assert (scan.geometry.orientation, mask.geometry.orientation) == ("LPS", "LAS")
    assert (scan.modality, scan.warnings) == ("CT", ())
    flip = np.diag([1.0, -1.0, 1.0, 1.0])
    flip[1, 3] = scan.geometry.shape[1] - 1
    np.testing.assert_allclose(scan.geometry.affine @ flip, mask.geometry.affine, atol=1e-4)
    seen = scan.geometry.canonical.apply(scan.values)
    labels = mask.geometry.canonical.apply(mask.values)
    assert 40 < np.median(seen[labels == LIVER]) < 160  # HU of liver, in one canonical order
    assert np.median(seen[labels == 0]) < 0


@pytest.mark.parametrize("folder", ["ct_btcv", "mr_t2_chaos"])
def test_whole_volumes_run_to_left_anterior_and_superior(folder: str) -> None:
    for path in first_files(folder):
        volume = read_scan(path)
        assert volume.geometry.orientation == "LAS"
        assert volume.values.dtype in (np.uint8, np.int16)
        assert volume.warnings == ()


def test_every_example_is_read_as_nibabel_reads_it(tmp_path: Path) -> None:
    for path in [*sorted(EXAMPLES.glob("*.nii.gz")), *first_files("mr_t2_chaos", 1)]:
        volume, image = read_scan(path), nib.load(path)
        assert np.array_equal(volume.geometry.affine, image.affine)
        assert np.array_equal(volume.values, np.asarray(image.dataobj))
        labels = (volume.values > 0).astype(np.uint8)
        write_mask(Mask(labels, volume.geometry, volume.header), tmp_path / "mask.nii.gz")
        mask = nib.load(tmp_path / "mask.nii.gz")
        assert np.array_equal(mask.affine, image.affine)
        assert np.array_equal(np.asarray(mask.dataobj), labels)
        for name in ("sform_code", "qform_code", "pixdim", "xyzt_units"):
            assert np.array_equal(mask.header[name], image.header[name])


def test_a_segmentation_in_the_same_folder_is_skipped() -> None:
    volume = read_scan(DATA / "scans_dcmqi")
    assert volume.geometry.shape == (512, 512, 3)
    np.testing.assert_allclose(volume.geometry.spacing_mm, (0.810547, 0.810547, 1.0), atol=1e-6)
    assert len(volume.warnings) == 1
