"""The kinds of files that masks are written to, told from a path's ending or named.

The libraries behind the writers load on first use.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, cast, get_args

from rma_mamba.errors import ConfigError
from rma_mamba.volume import Mask, Volume

MaskFormat = Literal["nifti", "dicom_seg", "dicom_rtstruct", "stl", "obj"]
MASK_FORMATS = get_args(MaskFormat)

# Kinds of DICOM objects: of scans that are DICOM only.
DICOM_FORMATS = ("dicom_seg", "dicom_rtstruct", "dicom_sr")

# The longer ending first: a name is stripped of the first that fits.
_ENDINGS: dict[str, tuple[str, ...]] = {
    "nifti": (".nii.gz", ".nii"),
    "dicom_seg": (".dcm",),
    "dicom_rtstruct": (".dcm",),
    "dicom_sr": (".dcm",),
    "stl": (".stl",),
    "obj": (".obj",),
}
MASK_SUFFIXES = (".nii.gz", ".nii", ".dcm", ".stl", ".obj")


def write_mask(mask: Mask, path: str | os.PathLike[str], kind: MaskFormat | None = None) -> None:
    """Write a mask in one of several kinds of files; it appears complete or not at all.

    - "nifti" (.nii, .nii.gz): uint8 {0, 1} on the scan's own grid; equal masks give equal bytes. A mask of a
      NIfTI scan keeps affine, sform and qform codes, pixdim and units bit for bit; any other gets its affine
      with both codes 1 (scanner).
    - "dicom_seg" (.dcm) and "dicom_rtstruct" (.dcm): on the images of a DICOM scan.
    - "stl" (.stl) and "obj" (.obj): the surface in RAS+ mm.

    Args:
        mask: The mask, with the header and the source of the scan that it belongs to.
        path: Where to write; missing parent folders are made.
        kind: None: as the path's ending says, .dcm being a DICOM SEG.

    Raises:
        ConfigError: The ending is of no kind, or of another kind; or a DICOM object was asked for of a scan
            that is no DICOM.
        GridError: The mask's grid is not that of its scan's header.
        ScanError: The file cannot be written, or the scan's headers lack what a DICOM object needs.
    """
    out = Path(path)
    kind = kind or mask_format(out)
    check_suffix(out, kind, "mask")
    if kind == "nifti":
        from rma_mamba.scans import nifti

        nifti.write(mask, out)
    elif kind == "dicom_seg":
        from rma_mamba.scans import dicom_seg

        dicom_seg.write(mask, out)
    elif kind == "dicom_rtstruct":
        from rma_mamba.scans import dicom_rtstruct

        dicom_rtstruct.write(mask, out)
    else:
        from rma_mamba.scans import mesh_files

        (mesh_files.write_stl if kind == "stl" else mesh_files.write_obj)(mask, out)


def write_structured_report(
    mask: Mask,
    values: Mapping[str, float | None],
    path: str | os.PathLike[str],
    *,
    comments: Sequence[str] = (),
    segmentation: str | os.PathLike[str] | None = None,
) -> None:
    """Write measurements of a mask as a DICOM Structured Report (TID 1500); complete or not at all.

    Args:
        mask: The mask, with the source of the DICOM scan that it belongs to.
        values: Measurements by name and unit, as `reporting.quantify` names them.
        path: Where to write; ends in .dcm.
        comments: What a reader of the values has to know, one sentence each.
        segmentation: The DICOM SEG of the same mask, for the report to refer to.

    Raises:
        ConfigError: The path has another ending, or the scan was no DICOM.
        ScanError: The file cannot be written, or the scan's headers lack what the object needs.
    """
    check_suffix(Path(path), "dicom_sr", "report")
    from rma_mamba.scans import dicom_sr

    seg = Path(segmentation) if segmentation is not None else None
    dicom_sr.write(mask, values, Path(path), comments=comments, segmentation=seg)


def mask_format(path: Path) -> MaskFormat:
    """The kind of mask that a path's ending stands for.

    Raises:
        ConfigError: None.
    """
    name = path.name.lower()
    for kind, endings in _ENDINGS.items():
        if kind in MASK_FORMATS and name.endswith(endings):
            return cast("MaskFormat", kind)
    raise ConfigError(
        f"the output file has another ending than masks have; expected {_either(MASK_SUFFIXES)}. "
        "Give a name with one of these endings, or a folder."
    )


def check_suffix(path: Path, kind: str, what: str) -> None:
    """See that a path ends as files of this kind do.

    Raises:
        ConfigError: It does not.
    """
    endings = _ENDINGS[kind]
    if not path.name.lower().endswith(endings):
        found = "ends in neither " + " nor ".join(endings)
        found = found if len(endings) > 1 else f"does not end in {endings[0]}"
        raise ConfigError(
            f"the {what}'s path {found}; expected {_either(endings)}, as {kind} files end. "
            "Give an output path with this ending."
        )


def _either(endings: tuple[str, ...]) -> str:
    return endings[0] if len(endings) == 1 else f"{', '.join(endings[:-1])} or {endings[-1]}"


def write_scan(volume: Volume, path: str | os.PathLike[str]) -> None:
    """Write a scan as NIfTI on its own geometry; equal scans give equal bytes.

    Args:
        volume: The scan; values of other types than uint8, int16 or float32 are converted to one of these.
        path: Where to write; ends in .nii or .nii.gz.

    Raises:
        ConfigError: The path ends in anything else.
        ScanError: The file cannot be written.
    """
    out = Path(path)
    check_suffix(out, "nifti", "scan")
    from rma_mamba.scans import nifti

    nifti.write_volume(volume, out)
