"""Output formats of masks and scans: detected from the suffix of the path, or selected explicitly.

The library of each format is imported on first use.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from rma_mamba.conventions import NIFTI_SUFFIXES
from rma_mamba.deprecation import warn_renamed
from rma_mamba.errors import ConfigError
from rma_mamba.volume import Mask, Volume

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MaskFormat = Literal["nifti", "dicom_seg", "dicom_rtstruct", "stl", "obj"]
MASK_FORMATS = get_args(MaskFormat)

# DICOM objects refer to the images of a DICOM scan and cannot be written for other scans.
DICOM_FORMATS = ("dicom_seg", "dicom_rtstruct", "dicom_sr", "dicom_sc", "dicom_pdf")

_DICOM_SUFFIX = ".dcm"
_SUFFIXES: dict[str, tuple[str, ...]] = {
    "nifti": NIFTI_SUFFIXES,
    "dicom_seg": (_DICOM_SUFFIX,),
    "dicom_rtstruct": (_DICOM_SUFFIX,),
    "dicom_sr": (_DICOM_SUFFIX,),
    "dicom_sc": (_DICOM_SUFFIX,),
    "dicom_pdf": (_DICOM_SUFFIX,),
    "stl": (".stl",),
    "obj": (".obj",),
}
MASK_SUFFIXES = (*NIFTI_SUFFIXES, _DICOM_SUFFIX, ".stl", ".obj")


def write_mask(
    mask: Mask,
    path: str | os.PathLike[str],
    file_format: MaskFormat | None = None,
    *,
    kind: MaskFormat | None = None,
) -> None:
    """Write a mask atomically.

    - "nifti" (.nii, .nii.gz): uint8 {0, 1} on the grid of the scan, or the label map of several classes; equal masks
      give identical files. The mask of a NIfTI scan inherits affine, sform and qform codes, pixdim and units bit for
      bit; any other mask is written with its affine and both codes 1 (scanner).
    - "dicom_seg" and "dicom_rtstruct" (.dcm): on the source images of a DICOM scan, with one segment or region of
      interest per class.
    - "stl" (.stl) and "obj" (.obj): the surface in RAS+ mm.

    Args:
        mask: The mask, with the header and the source images of its scan.
        path: The file to write; missing parent folders are created.
        file_format: None: from the suffix of the path, where .dcm means DICOM SEG.
        kind: Deprecated name of `file_format`.

    Raises:
        ConfigError: The suffix does not belong to the format or to any format, or a DICOM format was requested
            for a scan that is not DICOM.
        GridError: The grid of the mask differs from the grid in the header of its scan.
        ScanError: The file cannot be written, or the headers of the scan are not sufficient for a DICOM object.
    """
    if kind is not None:
        warn_renamed("write_mask(kind=...)", "file_format")
        file_format = file_format or kind
    out = Path(path)
    file_format = file_format or mask_format(out)
    check_suffix(out, file_format, "mask")
    if file_format == "nifti":
        from rma_mamba.scans import nifti_writer

        nifti_writer.write_mask(mask, out)
    elif file_format == "dicom_seg":
        from rma_mamba.scans import dicom_seg

        dicom_seg.write(mask, out)
    elif file_format == "dicom_rtstruct":
        from rma_mamba.scans import dicom_rtstruct

        dicom_rtstruct.write(mask, out)
    else:
        from rma_mamba.scans import mesh_files

        (mesh_files.write_stl if file_format == "stl" else mesh_files.write_obj)(mask, out)


def write_structured_report(
    mask: Mask,
    values: Mapping[str, float | None],
    path: str | os.PathLike[str],
    *,
    comments: Sequence[str] = (),
    segmentation: str | os.PathLike[str] | None = None,
) -> None:
    """Write measurements of a mask as a DICOM Structured Report (TID 1500), atomically.

    Args:
        mask: The mask, with the source images of its DICOM scan.
        values: Measurements by name including the unit, as returned by `reporting.quantify`.
        path: The file to write; its suffix is .dcm.
        comments: Remarks on the measurements, one sentence each.
        segmentation: A DICOM SEG of the same mask, to be referenced by the report.

    Raises:
        ConfigError: The path has another suffix, or the scan is not DICOM.
        ScanError: The file cannot be written, or the headers of the scan are not sufficient.
    """
    check_suffix(Path(path), "dicom_sr", "structured report")
    from rma_mamba.scans import dicom_sr

    seg = Path(segmentation) if segmentation is not None else None
    dicom_sr.write(mask, values, Path(path), comments=comments, segmentation=seg)


def write_secondary_capture(
    mask: Mask, pixels: npt.NDArray[np.uint8], path: str | os.PathLike[str]
) -> None:
    """Write an image of a mask as a DICOM secondary capture, atomically.

    Args:
        mask: The mask, with the source images of its DICOM scan.
        pixels: The image, RGB [row, column, 3].
        path: The file to write; its suffix is .dcm.

    Raises:
        ConfigError: The path has another suffix, or the scan is not DICOM.
        ScanError: The file cannot be written, or the headers of the scan are not sufficient.
    """
    check_suffix(Path(path), "dicom_sc", "secondary capture")
    from rma_mamba.scans import dicom_capture

    dicom_capture.write_image(mask, pixels, Path(path))


def write_encapsulated_pdf(
    mask: Mask, content: bytes, path: str | os.PathLike[str], *, names_patient: bool = False
) -> None:
    """Write a PDF file about a mask as a DICOM encapsulated document, atomically.

    Args:
        mask: The mask, with the source images of its DICOM scan.
        content: The PDF file.
        path: The file to write; its suffix is .dcm.
        names_patient: Whether the patient can be identified from the pages.

    Raises:
        ConfigError: The path has another suffix, or the scan is not DICOM.
        ScanError: The file cannot be written, or the headers of the scan are not sufficient.
    """
    check_suffix(Path(path), "dicom_pdf", "encapsulated PDF")
    from rma_mamba.scans import dicom_capture

    dicom_capture.write_document(mask, content, Path(path), names_patient=names_patient)


def write_scan(
    volume: Volume,
    path: str | os.PathLike[str],
    *,
    is_map: bool = False,
    compression: int | None = None,
) -> None:
    """Write a scan as NIfTI with its own geometry; equal scans give identical files.

    Args:
        volume: The scan; data types other than uint8, int16 and float32 are converted to one of these.
        path: The file to write; its suffix is .nii or .nii.gz.
        is_map: Whether it is a map computed from a scan, such as probabilities; the intent in its header is "estimate".
        compression: Level of gzip, 1 (fast) to 9 (small); None: 6.

    Raises:
        ConfigError: The path has another suffix.
        ScanError: The file cannot be written.
    """
    out = Path(path)
    check_suffix(out, "nifti", "scan")
    from rma_mamba.scans import nifti_writer

    level = nifti_writer.COMPRESSION if compression is None else compression
    nifti_writer.write_scan(volume, out, is_map=is_map, compression=level)


def mask_format(path: Path) -> MaskFormat:
    """The mask format that belongs to the suffix of a path.

    Raises:
        ConfigError: There is none.
    """
    name = path.name.lower()
    for file_format, suffixes in _SUFFIXES.items():
        if file_format in MASK_FORMATS and name.endswith(suffixes):
            return cast("MaskFormat", file_format)
    raise ConfigError(
        f"the suffix of the output file is not that of a mask format; expected {_either(MASK_SUFFIXES)}. "
        "Use one of these suffixes, or pass a folder."
    )


def check_suffix(path: Path, file_format: str, what: str) -> None:
    """Check that the suffix of a path belongs to a format.

    Args:
        path: The path.
        file_format: One of `MASK_FORMATS` or `DICOM_FORMATS`.
        what: The content of the file ("mask"), for the error.

    Raises:
        ConfigError: The suffix belongs to another format.
    """
    suffixes = _SUFFIXES[file_format]
    if not path.name.lower().endswith(suffixes):
        raise ConfigError(
            f"the output path of the {what} has the wrong suffix; expected a path ending in "
            f"{_either(suffixes)} for the format {file_format}. Change the suffix of the path."
        )


def _either(suffixes: tuple[str, ...]) -> str:
    return suffixes[0] if len(suffixes) == 1 else f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
