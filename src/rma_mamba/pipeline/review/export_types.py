"""Types of exports of a reviewed mask, and the output types of `segment` that write them."""

from __future__ import annotations

from rma_mamba.errors import ConfigError

EXPORT_TYPES = {
    "nifti": "nifti",
    "dicom-seg": "dicom_seg",
    "rtstruct": "dicom_rtstruct",
    "dicom-sr": "dicom_sr",
    "report-html": "report_html",
    "report-pdf": "report_pdf",
    "mesh": "stl",
    "obj": "obj",
    "json": "json",
    "csv": "csv",
}
FOR_DICOM = ("dicom-seg", "rtstruct", "dicom-sr")  # they refer to the images of the scan


def output_type(kind: str) -> str:
    """The output type of `segment` for a type of export.

    Raises:
        ConfigError: There is no such type.
    """
    if kind not in EXPORT_TYPES:
        raise ConfigError(
            f"the type of the export is not known; expected {', '.join(EXPORT_TYPES)}. Choose one of these."
        )
    return EXPORT_TYPES[kind]


def possible_exports(*, has_scan: bool, is_dicom: bool) -> list[str]:
    """The types that can be written for a case."""
    if not has_scan:
        return ["nifti"]
    return [kind for kind in EXPORT_TYPES if is_dicom or kind not in FOR_DICOM]
