"""The files of a scan: all that its reader opens."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk  # noqa: N813

from rma_mamba.scans.scan_files import scan_files

VALUES = np.arange(60, dtype=np.int16).reshape(5, 4, 3)


def names(scan: Path) -> list[str]:
    return sorted(path.name for path in scan_files(scan))


def test_a_scan_may_be_one_file_or_two(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(VALUES, np.eye(4)), tmp_path / "a.nii")
    nib.save(nib.Nifti1Pair(VALUES, np.eye(4)), tmp_path / "b.img")
    for end in ("mha", "mhd", "nhdr"):
        sitk.WriteImage(sitk.GetImageFromArray(VALUES), str(tmp_path / f"{end}.{end}"))
    (tmp_path / "bad.mhd").write_text("ObjectType = Image\nElementDataFile = ../x.raw\n")
    assert names(tmp_path / "a.nii") == ["a.nii"]
    assert names(tmp_path / "b.hdr") == names(tmp_path / "b.img") == ["b.hdr", "b.img"]
    assert names(tmp_path / "mha.mha") == ["mha.mha"]
    assert names(tmp_path / "mhd.mhd") == ["mhd.mhd", "mhd.raw"]
    assert names(tmp_path / "nhdr.nhdr") == ["nhdr.nhdr", "nhdr.raw"]
    assert names(tmp_path / "bad.mhd") == ["bad.mhd"]
    assert names(tmp_path / "missing") == []


def test_a_folder_is_all_its_files_except_results(tmp_path: Path) -> None:
    for name in ("IM1", "below/IM2", "below/liver.nii.gz", ".hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    record = {"rma_mamba": "0.2.0", "files": {"liver.nii.gz": ""}}
    (tmp_path / "below" / "run.json").write_text(json.dumps(record))
    assert names(tmp_path) == ["IM1", "IM2"]
