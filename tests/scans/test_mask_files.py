"""Masks and maps are recognised by their header, or by their two values; scans are not."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from rma_mamba.scans import write_mask, write_scan
from rma_mamba.scans.mask_files import is_mask_file
from rma_mamba.volume import Geometry, Mask, Volume

LABELS = np.zeros((40, 30, 90), np.uint8)
LABELS[10:20, 5:9, 60:] = 1
GEOMETRY = Geometry(LABELS.shape, np.eye(4))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_masks_and_maps_of_this_program_are_recognised(tmp_path: Path, name: str) -> None:
    write_mask(Mask(LABELS * 0, GEOMETRY), tmp_path / name)  # no liver
    assert is_mask_file(tmp_path / name)
    map_ = np.random.default_rng(0).random(LABELS.shape).astype(np.float32)
    write_scan(Volume(map_, GEOMETRY), tmp_path / name, is_map=True)
    assert is_mask_file(tmp_path / name)
    assert int(nib.load(tmp_path / name).header["intent_code"]) == 1001
    write_scan(Volume(map_, GEOMETRY), tmp_path / name)
    assert not is_mask_file(tmp_path / name)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("change", "is_mask"),
    [
        (lambda labels: labels, True),
        (lambda labels: labels * 255, True),
        (lambda labels: labels * 7, False),
        (lambda labels: labels * 0, False),
        (lambda labels: labels + 1, False),
        (lambda labels: labels + 254 * (np.arange(90) == 89), False),
        (lambda labels: np.where(np.arange(90) == 89, 2, labels), False),
    ],
)
def test_other_masks_are_recognised_by_their_two_values(
    tmp_path: Path, dtype: type, change, is_mask: bool
) -> None:
    nib.save(nib.Nifti1Image(change(LABELS).astype(dtype), np.eye(4)), tmp_path / "a.nii.gz")
    assert is_mask_file(tmp_path / "a.nii.gz") == is_mask


def test_both_files_of_a_pair_and_a_segmentation_of_slicer_are_recognised(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(LABELS, np.eye(4)), tmp_path / "a.img")
    assert is_mask_file(tmp_path / "a.hdr")
    assert is_mask_file(tmp_path / "a.img")
    image = sitk.GetImageFromArray(LABELS * 7)
    sitk.WriteImage(image, str(tmp_path / "b.nrrd"))
    assert not is_mask_file(tmp_path / "b.nrrd")
    image.SetMetaData("Segment0_ID", "Segment_1")
    sitk.WriteImage(image, str(tmp_path / "b.seg.nrrd"))
    assert is_mask_file(tmp_path / "b.seg.nrrd")


@pytest.mark.parametrize(
    "content", [b"", b"text", gzip.compress(b"x" * 999, mtime=0)[:-9], b"\x5c\x01\0\0"]
)
def test_a_corrupt_file_is_left_to_its_reader(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.nii.gz").write_bytes(content)
    assert not is_mask_file(tmp_path / "a.nii.gz")
    nib.save(nib.Nifti1Image(LABELS, np.eye(4)), tmp_path / "b.nii")
    (tmp_path / "b.nii").write_bytes((tmp_path / "b.nii").read_bytes()[:-100])
    assert not is_mask_file(tmp_path / "b.nii")
    assert not is_mask_file(tmp_path / "missing.nii")


@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr", "a.mha", "a.mhd"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_masks_in_nrrd_and_metaimage_are_recognised_and_scans_are_not(
    tmp_path: Path, name: str, dtype: type, is_compressed: bool
) -> None:
    def write(values: np.ndarray) -> Path:
        image = sitk.GetImageFromArray(values.astype(dtype))
        sitk.WriteImage(image, str(tmp_path / name), is_compressed)
        return tmp_path / name

    assert is_mask_file(write(LABELS))
    assert is_mask_file(write(LABELS * 255))
    assert not is_mask_file(write(np.where(np.arange(90) == 89, 2, LABELS)))
    assert not is_mask_file(write(LABELS + 1))


def test_voxels_that_are_stored_in_an_unusual_way_are_left_to_their_reader(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(LABELS)
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    content = (tmp_path / "a.mha").read_bytes()
    for old, new in ((b"MET_UCHAR", b"MET_FLOAT"), (b"NDims", b"HeaderSize = 0\nNDims")):
        (tmp_path / "b.mha").write_bytes(content.replace(old, new))
        assert not is_mask_file(tmp_path / "b.mha")


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_byte_order_in_the_header_is_that_of_the_voxels(tmp_path: Path, order: str) -> None:
    endian = {"<": "little", ">": "big"}[order]
    header = f"NRRD0004\ntype: short\ndimension: 3\nsizes: 90 30 40\nendian: {endian}\n"
    voxels = LABELS.astype(f"{order}i2").tobytes()
    (tmp_path / "a.nrrd").write_bytes(f"{header}encoding: raw\n\n".encode() + voxels)
    assert is_mask_file(tmp_path / "a.nrrd")
