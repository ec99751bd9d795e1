"""Masks keep the grid of their scan bit for bit, and equal voxels give equal bytes."""

from __future__ import annotations

import itertools
import stat
import time
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nifti_files import (
    AFFINE,
    OBLIQUE,
    RAMP,
    SHAPE,
    image_of,
    mask_of,
    patched,
    save,
)
from rma_mamba.errors import ConfigError, GridError
from rma_mamba.scans import (
    read_scan,
    write_mask,
    write_scan,
)
from rma_mamba.volume import Geometry, Mask, Volume

# What a mask keeps of its scan's header.
KEPT = ("pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d")
KEPT += ("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property; each overwrites the file of the one before."""
    return tmp_path_factory.mktemp("property")


@pytest.mark.parametrize("codes", list(itertools.product((0, 1, 2, 3, 4), (0, 1, 2))))
@pytest.mark.parametrize("version", [1, 2])
def test_the_mask_keeps_the_grid_bit_for_bit(
    tmp_path: Path, version: int, codes: tuple[int, int]
) -> None:
    image = image_of(version=version)
    image.set_sform(AFFINE, codes[0])
    image.set_qform(OBLIQUE, codes[1])
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, tmp_path / "scan.nii.gz")
    volume = read_scan(tmp_path / "scan.nii.gz")
    write_mask(mask_of(volume), tmp_path / "mask.nii.gz")
    scan, mask = nib.load(tmp_path / "scan.nii.gz"), nib.load(tmp_path / "mask.nii.gz")
    for name in KEPT:
        assert scan.header[name].tobytes() == mask.header[name].tobytes(), name
    assert type(mask) is type(scan)
    assert np.array_equal(mask.affine, scan.affine)
    np.testing.assert_allclose(volume.geometry.affine, scan.affine, rtol=0, atol=1e-5)
    assert np.array_equal(np.asarray(mask.dataobj), mask_of(volume).labels)
    assert read_scan(tmp_path / "mask.nii.gz").geometry.matches(volume.geometry, 0)


def test_the_mask_is_uint8_with_label_intent_and_inherits_no_text(tmp_path: Path) -> None:
    image = image_of()
    for name in ("descrip", "aux_file", "db_name", "intent_name"):
        image.header[name] = b"DOE JOHN"
    nib.save(image, tmp_path / "scan.nii")
    write_mask(mask_of(read_scan(tmp_path / "scan.nii")), tmp_path / "mask.nii")
    content = (tmp_path / "mask.nii").read_bytes()
    assert b"DOE" not in content
    header = nib.Nifti1Header(content[:348])
    assert header.get_data_dtype() == np.uint8
    assert (header["scl_slope"], header["scl_inter"]) == (1, 0)
    assert header.get_intent()[0] == "label"
    assert header.get_data_shape() == SHAPE
    assert len(content) == 352 + RAMP.size


def test_equal_masks_give_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = read_scan(save(tmp_path, patched()))
    write_mask(mask_of(volume), tmp_path / "first.nii.gz")
    monkeypatch.setattr(time, "time", lambda: 2e9)
    write_mask(mask_of(volume), tmp_path / "second.nii.gz")
    first, second = ((tmp_path / f"{name}.nii.gz").read_bytes() for name in ("first", "second"))
    assert first == second
    assert first[4:8] == bytes(4)


def test_a_mask_without_a_nifti_header_gets_a_new_one(tmp_path: Path) -> None:
    labels = (RAMP > 3).astype(np.uint8)
    write_mask(Mask(labels, Geometry(SHAPE, OBLIQUE)), tmp_path / "mask.nii.gz")
    image = nib.load(tmp_path / "mask.nii.gz")
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 1)
    np.testing.assert_allclose(image.get_sform(), OBLIQUE, rtol=0, atol=1e-5)
    np.testing.assert_allclose(image.get_qform(), OBLIQUE, rtol=0, atol=1e-4)
    assert image.header.get_xyzt_units()[0] == "mm"
    assert np.array_equal(np.asarray(image.dataobj), labels)


@given(labels=arrays(np.uint8, st.tuples(*[st.integers(1, 4)] * 3), elements=st.integers(0, 1)))
def test_every_mask_survives_writing_in_any_memory_layout(folder: Path, labels: Any) -> None:
    path = folder / "mask.nii"
    for stored in (labels, np.asfortranarray(labels), labels[::-1][::-1], labels.astype(bool)):
        write_mask(Mask(stored, Geometry(labels.shape, OBLIQUE)), path)
        assert np.array_equal(np.asarray(nib.load(path).dataobj), labels)


def test_a_mask_on_another_grid_is_rejected(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path, patched()))
    shifted = np.array(volume.geometry.affine)
    shifted[0, 3] += 1
    for geometry in (Geometry(SHAPE, shifted), Geometry((5, 4, 2), volume.geometry.affine)):
        mask = Mask(np.zeros(geometry.shape, np.uint8), geometry, volume.header)
        with pytest.raises(GridError, match="differs from the grid"):
            write_mask(mask, tmp_path / "mask.nii")
    assert not (tmp_path / "mask.nii").exists()


@pytest.mark.parametrize("name", ["mask.mha", "mask", "mask.gz", "nii", "mask.nii.gz.tmp"])
def test_an_output_with_an_unknown_suffix_is_a_config_error(tmp_path: Path, name: str) -> None:
    mask = Mask(np.zeros(SHAPE, np.uint8), Geometry(SHAPE, OBLIQUE))
    with pytest.raises(ConfigError, match="not that of a mask format"):
        write_mask(mask, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_parent_folders_are_created_and_an_existing_mask_is_replaced(tmp_path: Path) -> None:
    mask = Mask(np.ones(SHAPE, np.uint8), Geometry(SHAPE, OBLIQUE))
    path = tmp_path / "new" / "folders" / "mask.NII.GZ"
    for _ in range(2):
        write_mask(mask, path)
    assert [entry.name for entry in path.parent.iterdir()] == ["mask.NII.GZ"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o400


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_scan_survives_writing_and_reading(tmp_path: Path, dtype: type) -> None:
    values = np.random.default_rng(0).integers(0, 200, (5, 4, 3)).astype(dtype)
    affine = np.array([[0, -2, 0.1, 5], [1.5, 0, 0, -3], [0, 0.1, 4, 9], [0, 0, 0, 1.0]])
    volume = Volume(values, Geometry(values.shape, affine))
    write_scan(volume, tmp_path / "one.nii.gz")
    write_scan(volume, tmp_path / "two.nii.gz")
    again = read_scan(tmp_path / "one.nii.gz")
    assert np.array_equal(again.values, values)
    assert again.geometry.matches(volume.geometry, 1e-4)
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()
    with pytest.raises(
        ConfigError,
        match=r"of the scan .* expected a path ending in \.nii",
    ):
        write_scan(volume, tmp_path / "scan.mha")
