"""Scan files in, mask files out. A scan's kind is told from its content, not from its name.

>>> volume = read_scan("patient7/")  # DICOM of any number of series; or a zip, NIfTI, NRRD, MHA, pictures
>>> write_mask(mask, "liver.nii.gz")  # or .dcm (DICOM SEG), .stl, .obj
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.scans.writers import write_mask, write_report, write_scan
from rma_mamba.volume import Geometry, Volume

if TYPE_CHECKING:
    from rma_mamba.scans.dicom_series import SeriesInfo
    from rma_mamba.scans.input_files import InputFile

__all__ = [
    "count_frames",
    "count_studies",
    "list_series",
    "read_geometry",
    "read_scan",
    "slice_files",
    "volume_of",
    "write_mask",
    "write_report",
    "write_scan",
]

Spacing = tuple[float, ...]


def read_scan(
    path: str | os.PathLike[str],
    *,
    series: int | str | None = None,
    frame: int | None = None,
    strict: bool = False,
    spacing_mm: Spacing | None = None,
) -> Volume:
    """Read one 3-D scan with its geometry in mm (RAS+).

    Args:
        path: A folder, zip archive or file of DICOM slices; a NIfTI file (1 or 2, plain or gzip) or either
            file of a NIfTI or Analyze pair; NRRD or MetaImage; a picture, or a folder of pictures.
        series: Of DICOM: a number in the list of `list_series`, or a SeriesInstanceUID; None: the best
            axial series of CT or MR.
        frame: Of a scan with several volumes (4-D, echoes, phases, b-values): which, from 1.
        strict: Of DICOM: refuse slices that are missing, uneven, tilted, doubled or damaged, instead of
            repairing or passing over them with a warning.
        spacing_mm: Of pictures: distance of pixels and slices, one number for both, or three along a row,
            along a column and from slice to slice.

    Returns:
        Intensities [i, j, k] as int16, uint8 or float32 (HU for DICOM CT); what was repaired or is
        doubtful stands in `Volume.warnings`.

    Raises:
        ScanError: The path is missing or unreadable, or holds no complete 3-D volume, or several.
        GridError: The scan's geometry is impossible.
        ConfigError: There is no such series or frame, or the kind of scan has none.
    """
    # The libraries behind the readers load on first use: `import rma_mamba.scans` stays quick.
    scan = Path(path)
    with _opened():
        kind = _kind(scan)
        _check_asked(kind, series, spacing_mm)
        if kind in ("dicom", "zip"):
            from rma_mamba.scans import dicom

            return dicom.read(_entries(scan, kind), dicom.Choice(series, frame, strict))
        if kind == "itk":
            from rma_mamba.scans import itk_formats

            return itk_formats.read(scan, frame)
        if kind in ("picture", "pictures"):
            from rma_mamba.scans import images

            return images.read(scan, frame, spacing_mm)
        from rma_mamba.scans import nifti

        return nifti.read(scan, frame)


def read_geometry(path: str | os.PathLike[str]) -> Geometry:
    """The grid of a scan, of DICOM and NIfTI from the headers alone; what only the voxels show stays unseen.

    Args:
        path: As of `read_scan`.

    Raises:
        ScanError: The path is missing, or holds no single 3-D volume.
        GridError: The scan's geometry is impossible.
    """
    scan = Path(path)
    with _opened():
        kind = _kind(scan)
        if kind in ("dicom", "zip"):
            from rma_mamba.scans import dicom

            return dicom.read_geometry(_entries(scan, kind))
        if kind == "nifti":
            from rma_mamba.scans import nifti

            return nifti.read_geometry(scan)
    return read_scan(scan).geometry


def slice_files(folder: str | os.PathLike[str]) -> list[Path]:
    """The files of a folder's DICOM series in the order in which `read_scan` stacks them along k.

    Raises:
        ScanError, GridError: The folder holds no complete, regular series.
    """
    with _opened():
        from rma_mamba.scans import dicom, input_files

        return dicom.slice_paths(input_files.files_below(Path(folder)))


def list_series(path: str | os.PathLike[str]) -> list[SeriesInfo]:
    """The DICOM series in a folder (and below it), a zip archive or a file, and which one would be read.

    Raises:
        ScanError: The path is missing or unreadable, or holds no DICOM files.
    """
    scan = Path(path)
    with _opened():
        from rma_mamba.scans import dicom

        return dicom.list_series(_entries(scan, _kind(scan)))


def count_frames(path: str | os.PathLike[str], *, series: int | str | None = None) -> int:
    """How many 3-D volumes a scan holds: what `read_scan(frame=)` counts.

    Raises:
        ScanError, GridError, ConfigError: As of `read_scan`.
    """
    scan = Path(path)
    with _opened():
        kind = _kind(scan)
        _check_asked(kind, series, None)
        if kind in ("dicom", "zip"):
            from rma_mamba.scans import dicom

            return dicom.count_frames(_entries(scan, kind), series)
        if kind == "itk":
            from rma_mamba.scans import itk_formats

            return itk_formats.count_frames(scan)
        if kind == "nifti":
            from rma_mamba.scans import nifti

            return nifti.count_frames(scan)
    return 1


def count_studies(files: Iterable[Path]) -> int:
    """To how many studies these DICOM files belong; 0 if none of them is DICOM.

    Raises:
        ScanError: A file is missing or unreadable.
    """
    with _opened():
        from rma_mamba.scans import dicom, input_files

        dicoms = [path for path in files if _kind(path) == "dicom"]
        try:
            found = dicom.list_series([input_files.from_path(path) for path in dicoms])
        except ScanError:  # none of them holds what DICOM needs
            return 0
        return len({one.study for one in found})


def _kind(scan: Path) -> str:
    if not scan.exists():
        raise ScanError(
            "there is nothing at the scan's path; expected a scan's file or a DICOM folder. "
            "Check the path for typing errors."
        )
    from rma_mamba.scans.formats import detect_format

    return detect_format(scan)


def _entries(scan: Path, kind: str) -> list[InputFile]:
    """The files of a DICOM scan."""
    from rma_mamba.scans import archive, input_files

    if kind == "zip":
        return archive.members(scan)
    return input_files.files_below(scan) if scan.is_dir() else [input_files.from_path(scan)]


def _check_asked(kind: str, series: int | str | None, spacing_mm: Spacing | None) -> None:
    """What was asked for is a thing of this kind of scan."""
    if series is not None and kind not in ("dicom", "zip"):
        raise ConfigError(
            "a series was named, but the scan is no DICOM; expected a folder, archive or file of DICOM. "
            "Leave the series out."
        )
    if spacing_mm is not None and kind not in ("picture", "pictures"):
        raise ConfigError(
            "a spacing was given, but the scan has its own; expected pictures, which have none. "
            "Leave the spacing out, or repair the scan's header."
        )


@contextmanager
def _opened() -> Iterator[None]:
    """What the file system refuses, as an error of this package."""
    try:
        yield
    except OSError as error:
        raise ScanError(
            f"the scan cannot be opened ({error.strerror or 'input/output error'}); "
            "expected a readable file or folder. Check its path and permissions."
        ) from error


def volume_of(scan: Any, affine: Any = None) -> Volume:
    """A scan that is in memory already, as a volume that was checked as a file is.

    Args:
        scan: A nibabel image; or, with `affine`, an array [i, j, k].
        affine: 4x4 matrix from voxel index to RAS+ mm.

    Raises:
        ScanError: It is no single 3-D volume of real numbers.
        GridError: Its geometry is impossible.
    """
    from rma_mamba.scans import nifti

    return nifti.from_image(scan) if affine is None else nifti.from_array(scan, affine)
