"""Each format imports its own libraries only, and NIfTI none: nibabel would take a third of a second."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the customary name
from PIL import Image

from dicom_series import save, series

HEAVY = ("highdicom", "matplotlib", "nibabel", "pandas", "PIL", "pydicom", "scipy", "SimpleITK")
HEAVY += ("skimage", "torch")

READ = "scans.read_scan('{path}')"
WRITE = (
    "volume = scans.read_scan('{path}'); from rma_mamba.volume import Mask; "
    "mask = Mask((volume.values > 0).view('uint8'), volume.geometry, volume.header); "
    "scans.write_mask(mask, '{path}'.replace('scan', 'mask'))"
)

CASES = {
    "nothing but the package": ("", "pass", set()),
    "NIfTI": ("scan.nii.gz", READ, set()),
    "NIfTI mask": ("scan.nii.gz", WRITE, set()),
    "MetaImage": ("scan.mha", READ, set()),  # another process imports SimpleITK
    "PNG": ("scan.png", READ, {"PIL"}),
    "DICOM": ("dicom", READ, {"PIL", "pydicom"}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One scan of each format."""
    folder = tmp_path_factory.mktemp("formats")
    values = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
    nib.save(nib.Nifti1Image(values, np.eye(4)), folder / "scan.nii.gz")
    sitk.WriteImage(sitk.GetImageFromArray(values), str(folder / "scan.mha"))
    Image.fromarray(values[:, :, 0].astype(np.uint8)).save(folder / "scan.png")
    save(folder / "dicom", series())
    return folder


@pytest.mark.parametrize(("name", "code", "allowed"), CASES.values(), ids=CASES.keys())
def test_a_format_imports_its_own_libraries_only(
    folder: Path, name: str, code: str, allowed: set[str]
) -> None:
    program = (
        f"import sys; from rma_mamba import scans; {code.format(path=folder / name)}; "
        f"print(*sorted(set({HEAVY}) & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert set(run.stdout.split()) == allowed
