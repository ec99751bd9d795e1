"""Read scans and write masks. The format of a scan is detected from its content, not from its name.

>>> volume = read_scan("patient7/")  # a DICOM folder or zip archive, NIfTI, NRRD, MetaImage, PNG, JPEG, TIFF, BMP
>>> write_mask(mask, "liver.nii.gz")  # or .dcm (DICOM SEG), .stl, .obj
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rma_mamba.deprecation import renamed_attributes, warn_renamed
from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.folder_tree import leads_nowhere
from rma_mamba.scans.checks import file_errors
from rma_mamba.scans.writers import (
    write_encapsulated_pdf,
    write_mask,
    write_scan,
    write_secondary_capture,
    write_structured_report,
)
from rma_mamba.volume import Geometry, Volume

if TYPE_CHECKING:
    from rma_mamba.scans.dicom_series import SeriesInfo
    from rma_mamba.scans.formats import ScanFormat
    from rma_mamba.scans.input_files import InputFile

__all__ = [
    "count_studies",
    "count_volumes",
    "has_images",
    "list_series",
    "read_geometry",
    "read_scan",
    "slice_files",
    "volume_from_memory",
    "write_encapsulated_pdf",
    "write_mask",
    "write_scan",
    "write_secondary_capture",
    "write_structured_report",
]

Spacing = tuple[float, ...]

_DICOM: tuple[ScanFormat, ...] = ("dicom", "zip")
_IMAGES: tuple[ScanFormat, ...] = ("image", "image folder")


def read_scan(
    path: str | os.PathLike[str],
    *,
    series: int | str | None = None,
    volume: int | None = None,
    strict: bool = False,
    any_study: bool = False,
    spacing_mm: Spacing | None = None,
    frame: int | None = None,
) -> Volume:
    """Read one 3-D scan with its geometry in mm (RAS+).

    Args:
        path: A folder, zip archive, DICOMDIR or single file of DICOM images; a NIfTI file (version 1 or 2, plain or
            gzip) or either file of a NIfTI or Analyze pair; NRRD or MetaImage; a PNG, JPEG, TIFF or BMP image, or a
            folder of such images.
        series: DICOM only: a number from `list_series` or a SeriesInstanceUID. None selects the best axial CT
            or MR series.
        volume: Which volume of a multi-volume scan (4-D, echoes, phases, b-values) to read, counted from 1.
        strict: DICOM only: raise an error for missing, unevenly spaced, tilted, duplicate or corrupt slices
            instead of repairing or skipping them with a warning.
        any_study: DICOM only: of several studies of one patient, read the best series of all, with a warning,
            instead of raising an error.
        spacing_mm: Images only: one number for isotropic voxels, or three numbers: pixel spacing along a row,
            pixel spacing along a column, slice spacing.
        frame: Deprecated name of `volume`.

    Returns:
        Intensities [i, j, k] as int16, uint8 or float32 (HU for DICOM CT). `Volume.warnings` lists repairs and
        suspicious header values.

    Raises:
        ScanError: The path is missing or unreadable, or does not contain exactly one complete 3-D volume.
        GridError: The geometry is invalid.
        ConfigError: The requested series or volume does not exist, or the option does not apply to the format.
    """
    if frame is not None:
        warn_renamed("read_scan(frame=...)", "volume")
        volume = frame if volume is None else volume
    # Each reader imports its library on first use, so that `import rma_mamba.scans` stays fast.
    scan = Path(path)
    with file_errors("scan"):
        file_format = _detect_format(scan)
        _check_options(file_format, series, spacing_mm)
        if file_format in _DICOM:
            from rma_mamba.scans import dicom

            return dicom.read(
                _input_files(scan, file_format), dicom.Selection(series, volume, strict, any_study)
            )
        if file_format == "itk":
            from rma_mamba.scans import itk_formats

            return itk_formats.read(scan, volume)
        if file_format in _IMAGES:
            from rma_mamba.scans import images

            return images.read(scan, volume, spacing_mm)
        from rma_mamba.scans import nifti

        return nifti.read(scan, volume)


def read_geometry(path: str | os.PathLike[str]) -> Geometry:
    """Read the geometry of a scan; for DICOM and NIfTI only the headers are read.

    Args:
        path: As for `read_scan`.

    Raises:
        ScanError: The path is missing, or does not contain exactly one 3-D volume.
        GridError: The geometry is invalid.
    """
    scan = Path(path)
    with file_errors("scan"):
        file_format = _detect_format(scan)
        if file_format in _DICOM:
            from rma_mamba.scans import dicom

            return dicom.read_geometry(_input_files(scan, file_format))
        if file_format == "nifti":
            from rma_mamba.scans import nifti

            return nifti.read_geometry(scan)
    return read_scan(scan).geometry


def slice_files(folder: str | os.PathLike[str]) -> list[Path]:
    """List the files of the DICOM series in a folder, in the order of the slices (k) in `read_scan`.

    Raises:
        ScanError, GridError: The folder does not contain a complete, regularly spaced series.
    """
    with file_errors("scan"):
        from rma_mamba.scans import dicom, input_files

        return dicom.slice_paths(input_files.files_below(Path(folder)))


def list_series(
    path: str | os.PathLike[str], *, any_study: bool = False, among: Collection[str] | None = None
) -> list[SeriesInfo]:
    """List the DICOM series in a folder and its subfolders, in a zip archive, in a DICOMDIR or in a file.

    The series that `read_scan` selects by default is marked; `any_study` as there.

    Args:
        path: As for `read_scan`.
        any_study: As for `read_scan`.
        among: List only the series with these UIDs, and mark the best of them.

    Raises:
        ScanError: The path is missing or unreadable, or contains no DICOM files.
    """
    scan = Path(path)
    with file_errors("scan"):
        from rma_mamba.scans import dicom

        files = _input_files(scan, _detect_format(scan))
        return dicom.list_series(files, any_study=any_study, among=among)


def count_volumes(path: str | os.PathLike[str], *, series: int | str | None = None) -> int:
    """Number of 3-D volumes in a scan: the upper limit of `read_scan(volume=...)`.

    Raises:
        ScanError, GridError, ConfigError: As for `read_scan`.
    """
    scan = Path(path)
    with file_errors("scan"):
        file_format = _detect_format(scan)
        _check_options(file_format, series, None)
        if file_format in _DICOM:
            from rma_mamba.scans import dicom

            return dicom.count_volumes(_input_files(scan, file_format), series)
        if file_format == "itk":
            from rma_mamba.scans import itk_formats

            return itk_formats.count_volumes(scan)
        if file_format == "nifti":
            from rma_mamba.scans import nifti

            return nifti.count_volumes(scan)
    return 1


def count_studies(files: Iterable[Path]) -> int:
    """Number of DICOM studies among files; 0 if none of the files is DICOM.

    Raises:
        ScanError: A file is missing or unreadable.
    """
    with file_errors("scan"):
        from rma_mamba.scans import dicom, input_files

        dicom_files = [path for path in files if _detect_format(path) == "dicom"]
        try:
            series = dicom.list_series([input_files.from_path(path) for path in dicom_files])
        except ScanError:  # no readable DICOM file
            return 0
        return len({info.study for info in series})


def has_images(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is read as one scan of PNG, JPEG, TIFF or BMP images."""
    from rma_mamba.scans.formats import image_files

    return bool(image_files(Path(folder)))


def volume_from_memory(scan: Any, affine: Any = None) -> Volume:
    """Convert an image in memory to a volume, with the same checks as for a file.

    Args:
        scan: A nibabel image; or an array [i, j, k] together with `affine`.
        affine: 4x4 matrix from voxel index to RAS+ mm.

    Raises:
        ScanError: The image is not a single 3-D volume of real numbers.
        GridError: The geometry is invalid.
    """
    from rma_mamba.scans import in_memory

    return in_memory.from_image(scan) if affine is None else in_memory.from_array(scan, affine)


def _detect_format(scan: Path) -> ScanFormat:
    if leads_nowhere(scan):
        raise ScanError(
            "the scan is a link that leads nowhere; expected a scan file or a DICOM folder. "
            "Download or copy the file that the link stands for."
        )
    if not scan.exists():
        raise ScanError(
            "the scan does not exist; expected the path of a scan file or a DICOM folder. "
            "Check the spelling of the path."
        )
    from rma_mamba.scans.formats import detect_format

    return detect_format(scan)


def _input_files(scan: Path, file_format: ScanFormat) -> list[InputFile]:
    """The files of a DICOM scan."""
    from rma_mamba.scans import archive, dicomdir, input_files

    if file_format == "zip":
        return archive.members(scan)
    if scan.is_dir():
        return input_files.files_below(scan)
    if dicomdir.is_dicomdir(scan):
        return dicomdir.referenced_files(scan)
    return [input_files.from_path(scan)]


def _check_options(
    file_format: ScanFormat, series: int | str | None, spacing_mm: Spacing | None
) -> None:
    """Reject options that do not apply to the format of the scan."""
    if series is not None and file_format not in _DICOM:
        raise ConfigError(
            "a series was selected, but the scan is not DICOM; expected a DICOM folder, zip archive or file. "
            "Omit the series."
        )
    if spacing_mm is not None and file_format not in _IMAGES:
        raise ConfigError(
            "a voxel spacing was passed, but the scan file defines its own; expected PNG, JPEG, TIFF or BMP "
            "images. Omit the spacing, or correct the header of the scan."
        )


# Hidden from type checkers, which see the new names only.
if not TYPE_CHECKING:
    __getattr__ = renamed_attributes(
        __name__,
        {
            "count_frames": "count_volumes",
            "volume_of": "volume_from_memory",
            "write_report": "write_structured_report",
        },
    )
