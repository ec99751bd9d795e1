"""Ways to read a DICOM SEG that share nothing with the way it is written: where its liver lies, in LPS mm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
import SimpleITK
from scipy.spatial import KDTree

from rma_mamba.volume import Mask

Points = npt.NDArray[np.float64]


def true_points(mask: Mask) -> Points:
    """Centres of the voxels of a mask."""
    index = np.argwhere(mask.labels)
    return (index @ mask.geometry.affine[:3, :3].T + mask.geometry.affine[:3, 3]) * [-1, -1, 1]


def points_by_attributes(path: Path) -> Points:
    """Read from the raw attributes: bits, and position, orientation and spacing of each frame."""
    data = pydicom.dcmread(path)
    bits = np.unpackbits(np.frombuffer(data.PixelData, np.uint8), bitorder="little")
    count = data.NumberOfFrames * data.Rows * data.Columns
    frames = bits[:count].reshape(data.NumberOfFrames, data.Rows, data.Columns)
    shared = data.SharedFunctionalGroupsSequence[0]
    row_mm, column_mm = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    along = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    found = []
    for frame, group in zip(frames, data.PerFrameFunctionalGroupsSequence, strict=True):
        rows, columns = np.nonzero(frame)
        start = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        across = np.outer(columns * column_mm, along[:3]) + np.outer(rows * row_mm, along[3:])
        found.append(start + across)
    return np.concatenate(found)


def points_by_highdicom(path: Path) -> Points:
    """Read as a volume by highdicom."""
    volume = hd.seg.segread(path).get_volume(combine_segments=True)
    index = np.argwhere(volume.array)
    return index @ volume.affine[:3, :3].T + volume.affine[:3, 3]  # type: ignore[no-any-return]


def points_by_dcmqi(path: Path) -> Points:
    """Read with dcmqi, an independent implementation in C++."""
    if shutil.which("segimage2itkimage") is None:
        pytest.skip("dcmqi is not installed (pip install dcmqi)")
    out = path.parent / "dcmqi"
    out.mkdir()
    arguments = ["--inputDICOM", path, "--outputDirectory", out, "--outputType", "nrrd"]
    subprocess.run(["segimage2itkimage", *arguments], check=True, capture_output=True)
    image = SimpleITK.ReadImage(str(out / "1.nrrd"))
    affine: Any = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    index = np.argwhere(SimpleITK.GetArrayFromImage(image).T)
    return index @ affine.T + image.GetOrigin()  # type: ignore[no-any-return]


READERS = {
    "attributes": points_by_attributes,
    "highdicom": points_by_highdicom,
    "dcmqi": points_by_dcmqi,
}


def furthest_mm(one: Points, other: Points) -> float:
    """The largest distance from a point of either set to the other; infinite if they differ in number."""
    if len(one) != len(other):
        return float("inf")
    return max(KDTree(a).query(b)[0].max(initial=0) for a, b in ((one, other), (other, one)))


def assert_valid(path: Path) -> None:
    """David Clunie's validator finds no error."""
    said = subprocess.run(["dciodvfy", path], capture_output=True, text=True).stderr
    assert "Error" not in said, said


needs_validator = pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (Debian's dicom3tools)"
)
