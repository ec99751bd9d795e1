"""NIfTI files are read as nibabel reads them: all containers, all volumes, all versions."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

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
from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.scans import (
    count_volumes,
    read_geometry,
    read_scan,
    write_mask,
)


@pytest.mark.parametrize("end", [".nii", ".nii.gz"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_scan_is_read_as_nibabel_reads_it(tmp_path: Path, version: int, end: str) -> None:
    image = image_of(affine=AFFINE, version=version)
    nib.save(image, tmp_path / f"scan{end}")
    volume = read_scan(tmp_path / f"scan{end}")
    assert np.array_equal(volume.geometry.affine, nib.load(tmp_path / f"scan{end}").affine)
    assert np.array_equal(volume.values, RAMP)
    assert volume.values.dtype == np.int16
    assert volume.modality is None


def test_the_format_is_detected_from_the_content_not_from_the_name(tmp_path: Path) -> None:
    packed = save(tmp_path, gzip.compress(patched()), "packed.nii")
    plain = save(tmp_path, patched(), "plain.nii.gz")
    unnamed = save(tmp_path, patched(), "Ünïcode 肝臓 without an ending")
    for path in (packed, plain, unnamed):
        assert np.array_equal(read_scan(path).values, RAMP)


@pytest.mark.parametrize("given_end", [".hdr", ".img"])
def test_a_pair_is_read_by_either_name(tmp_path: Path, given_end: str) -> None:
    nib.save(nib.Nifti1Pair(RAMP, OBLIQUE), tmp_path / "scan.img")
    volume = read_scan(tmp_path / f"scan{given_end}")
    assert np.array_equal(volume.values, RAMP)
    write_mask(mask_of(volume), tmp_path / "mask.nii")
    assert np.array_equal(nib.load(tmp_path / "mask.nii").affine, OBLIQUE.astype(np.float32))


def test_a_4d_file_with_one_volume_is_a_scan(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path, image_of(RAMP[..., None]).to_bytes()))
    assert np.array_equal(volume.values, RAMP)
    write_mask(mask_of(volume), tmp_path / "mask.nii")
    assert nib.load(tmp_path / "mask.nii").shape == SHAPE


@pytest.mark.parametrize("end", [".nii", ".nii.gz"])
def test_each_volume_of_a_4d_file_is_read_by_its_number(tmp_path: Path, end: str) -> None:
    values = np.arange(180, dtype=np.int16).reshape(*SHAPE, 3)
    nib.save(nib.Nifti1Image(values, OBLIQUE), tmp_path / f"scan{end}")
    assert count_volumes(tmp_path / f"scan{end}") == 3
    for number in (1, 2, 3):
        volume = read_scan(tmp_path / f"scan{end}", volume=number)
        assert np.array_equal(volume.values, values[..., number - 1])
        write_mask(mask_of(volume), tmp_path / "mask.nii")
        assert nib.load(tmp_path / "mask.nii").shape == SHAPE
    for number in (0, 4):
        with pytest.raises(ConfigError, match="expected 1 to 3"):
            read_scan(tmp_path / f"scan{end}", volume=number)
    with pytest.raises(ScanError, match="contains 3 volumes"):
        read_geometry(tmp_path / f"scan{end}")


@pytest.mark.parametrize("given_end", [".hdr", ".img"])
def test_an_analyze_pair_is_read_with_a_warning_about_left_and_right(
    tmp_path: Path, given_end: str
) -> None:
    image = nib.AnalyzeImage(RAMP, np.diag([1.2, 1.5, 5, 1]))
    nib.save(image, tmp_path / "scan.img")
    content = bytearray((tmp_path / "scan.hdr").read_bytes())
    content[148:228] = b"Doe John".ljust(80, b"x")  # free text, where NIfTI has other fields
    content[253:300] = b"7" * 47
    (tmp_path / "scan.hdr").write_bytes(content)
    volume = read_scan(tmp_path / f"scan{given_end}")
    assert np.array_equal(volume.values, RAMP)
    np.testing.assert_allclose(volume.geometry.spacing_mm, (1.2, 1.5, 5), rtol=1e-6)
    assert volume.warnings == ("The header defines no orientation: left and right may be swapped.",)
    write_mask(mask_of(volume), tmp_path / "mask.nii")
    assert b"Doe" not in (tmp_path / "mask.nii").read_bytes()


def test_header_extensions_are_ignored(tmp_path: Path) -> None:
    image = image_of()
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 5000))
    assert np.array_equal(read_scan(save(tmp_path, image.to_bytes())).values, RAMP)


def test_an_offset_of_zero_means_directly_after_the_header(tmp_path: Path) -> None:
    assert np.array_equal(read_scan(save(tmp_path, patched(vox_offset=0))).values, RAMP)
