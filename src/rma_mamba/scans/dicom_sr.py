"""Measurements of the liver as a DICOM Structured Report (SR), searchable in a PACS.

Source: DICOM PS3.16 TID 1500 (Measurement Report), TID 1411 and 1501 (measurement groups), TID 300 (Measurement).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pydicom
from highdicom import sr
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from rma_mamba.conventions import SOFTWARE_NAME, software_version
from rma_mamba.errors import ScanError
from rma_mamba.mask_provenance import MaskProvenance, MaskRemarks
from rma_mamba.scans.dicom_objects import (
    ANATOMICAL_STRUCTURE,
    LIVER,
    SERIES_NUMBERS,
    derived_object,
    equipment,
    how_segmented,
    save,
    with_quality,
)
from rma_mamba.scans.dicom_source_headers import unique
from rma_mamba.scans.dicom_uids import DerivedUids
from rma_mamba.source_images import SourceImages
from rma_mamba.volume import Mask

_OUTPUT = "DICOM SR"
_MILLILITRE = Code("mL", "UCUM", "milliliter")
_VOLUME = codes.SCT.Volume
_MEAN, _SD = codes.SCT.Mean, codes.SCT.StandardDeviation
_ATTENUATION = codes.DCM.AttenuationCoefficient

# Name of the value, concept, unit, and derivation.
_MEASUREMENTS: tuple[tuple[str, Code, Code, Code | None], ...] = (
    ("volume_ml", _VOLUME, _MILLILITRE, None),
    ("surface_area_mm2", codes.IBSI.SurfaceAreaOfMesh, codes.UCUM.SquareMillimeter, None),
    ("intensity_mean_hu", _ATTENUATION, codes.UCUM.HounsfieldUnit, _MEAN),
    ("intensity_sd_hu", _ATTENUATION, codes.UCUM.HounsfieldUnit, _SD),
)
_PROCEDURES = {
    "CT": codes.cid100.CTUnspecifiedBodyRegion,
    "MR": codes.cid100.MRIUnspecifiedBodyRegion,
}
_DIGITS = 3

_OWN_CODES = "99RMAMAMBA"  # a private coding scheme; its flags are those of docs/reference/flags.md
_LIGHTS = {
    "green": "Green: no quality problems found",
    "yellow": "Yellow: review the mask closely",
    "red": "Red: do not use the measurements",
}


def write(
    mask: Mask,
    values: Mapping[str, float | None],
    path: Path,
    *,
    comments: Sequence[str] = (),
    segmentation: Path | None = None,
) -> None:
    """Write a measurement report with one measurement group, the liver.

    Args:
        mask: The mask, with its source images.
        values: Measurements by name including the unit; `volume_ml`, `surface_area_mm2`, `intensity_mean_hu`
            and `intensity_sd_hu` are written if present.
        path: The file to write.
        comments: Remarks on the measurements.
        segmentation: A DICOM SEG of the same mask, to be referenced by the group; None: reference the images.

    Raises:
        ConfigError: The scan is not DICOM.
        ScanError: The headers of the scan are not sufficient, or the file cannot be written.
    """
    with derived_object(mask, _OUTPUT) as (images, headers):
        segment = pydicom.dcmread(segmentation) if segmentation else None
        uids = DerivedUids(mask, images)
        group = _measurement_group(images, headers, segment, values, mask.provenance, uids)
        for comment in dict.fromkeys((*comments, *_sentences(mask.provenance))):
            group[0].ContentSequence.append(_comment(comment))
        content = sr.MeasurementReport(
            sr.ObservationContext(_person(mask.provenance), _device()),
            _PROCEDURES.get(str(headers[0].get("Modality")), codes.cid100.ImagingProcedure),
            [group],
        )
        report = sr.Comprehensive3DSR(
            evidence=[*unique(headers), *([segment] if segment else [])],
            content=content[0],
            series_instance_uid=uids.series("SR"),
            series_number=SERIES_NUMBERS["SR"],
            sop_instance_uid=uids.instance("SR"),
            instance_number=1,
            is_complete=True,
            series_description=with_quality(
                f"Liver measurements ({SOFTWARE_NAME})", mask.provenance
            ),
            **equipment(),
        )
        if mask.provenance.remarks is not None:
            report.CodingSchemeIdentificationSequence = [_own_codes()]
    save(report, headers[0], path, _OUTPUT)


def _measurement_group(
    images: SourceImages,
    headers: list[Dataset],
    segment: Dataset | None,
    values: Mapping[str, float | None],
    provenance: MaskProvenance,
    uids: DerivedUids,
) -> Any:
    tracking_uid = (
        segment.SegmentSequence[0].TrackingUID if segment else uids.tracking(LIVER.meaning)
    )
    common: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(tracking_uid, LIVER.meaning),
        "finding_type": LIVER,
        "finding_category": ANATOMICAL_STRUCTURE,
        "finding_sites": [sr.FindingSite(LIVER)],
        "algorithm_id": sr.AlgorithmIdentification(
            SOFTWARE_NAME,
            software_version(),
            parameters=list(_parameters(provenance)),
            family=codes.cid7162.ArtificialIntelligence,
        ),
        "measurements": _measurements(values),
        "qualitative_evaluations": list(_evaluations(provenance.remarks)),
    }
    if segment is not None:
        reference = _segment_reference(segment, images, headers)
        return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            referenced_segment=reference, **common
        )
    return sr.MeasurementsAndQualitativeEvaluations(
        source_images=[
            sr.SourceImageForMeasurementGroup(header.SOPClassUID, header.SOPInstanceUID, frames)
            for header, frames in _referenced_objects(images, headers)
        ],
        **common,
    )


def _evaluations(remarks: MaskRemarks | None) -> Iterator[sr.QualitativeEvaluation]:
    """The traffic light of the quality, and each flag, as codes."""
    if remarks is None:
        return
    light = Code(remarks.light, _OWN_CODES, _LIGHTS[remarks.light])
    yield sr.QualitativeEvaluation(codes.DCM.QualityAssessment, light)
    for flag, severity in remarks.flags:
        meaning = f"{flag.replace('_', ' ')} ({severity})"
        yield sr.QualitativeEvaluation(codes.DCM.QualityFinding, Code(flag, _OWN_CODES, meaning))


def _own_codes() -> Dataset:
    """Whose codes those of the quality are."""
    item = Dataset()
    item.CodingSchemeDesignator = _OWN_CODES
    item.CodingSchemeName = f"Quality flags of {SOFTWARE_NAME}"
    item.CodingSchemeVersion = software_version()
    return item


def _sentences(provenance: MaskProvenance) -> tuple[str, ...]:
    return provenance.remarks.sentences if provenance.remarks else ()


def _parameters(provenance: MaskProvenance) -> Iterator[str]:
    """How the measured mask was made."""
    program = " ".join(filter(None, (provenance.algorithm, provenance.version)))
    yield f"Mask: {how_segmented(provenance)}" + (f" ({program})" if program else "")
    if provenance.weights_sha256:
        yield f"weights_sha256={provenance.weights_sha256}"


def _segment_reference(
    segment: Dataset, images: SourceImages, headers: list[Dataset]
) -> sr.ReferencedSegment:
    if segment.get("FrameOfReferenceUID") != headers[0].FrameOfReferenceUID:
        raise ScanError(
            "segmentation and measurements belong to different scans; expected the same scan. "
            "Write both from the same mask."
        )
    return sr.ReferencedSegment(
        segment.SOPClassUID,
        segment.SOPInstanceUID,
        segment_number=1,
        source_images=[
            sr.SourceImageForSegmentation(header.SOPClassUID, header.SOPInstanceUID, frames)
            for header, frames in _referenced_objects(images, headers)
        ],
    )


def _referenced_objects(
    images: SourceImages, headers: list[Dataset]
) -> list[tuple[Dataset, list[int] | None]]:
    """Each DICOM object once, with its frame numbers if it is multi-frame."""
    frames = [image.frame for image in images.slices if image.frame is not None]
    return [(header, frames or None) for header in unique(headers)]


def _measurements(values: Mapping[str, float | None]) -> list[sr.Measurement]:
    measurements = []
    for name, concept, unit, derivation in _MEASUREMENTS:
        value = values.get(name)
        if value is not None:
            measurements.append(
                sr.Measurement(concept, round(value, _DIGITS), unit, derivation=derivation)
            )
    return measurements


def _comment(text: str) -> Any:
    return sr.TextContentItem(
        codes.DCM.Comment, text, relationship_type=sr.RelationshipTypeValues.CONTAINS
    )


def _person(provenance: MaskProvenance) -> sr.ObserverContext | None:
    """The person who made or corrected the mask."""
    if provenance.creator is None:
        return None
    person = sr.PersonObserverIdentifyingAttributes(provenance.creator)
    return sr.ObserverContext(codes.DCM.Person, person)


def _device() -> sr.ObserverContext:
    device = sr.DeviceObserverIdentifyingAttributes(
        # the same UID for all installations of one version
        uid=generate_uid(entropy_srcs=[SOFTWARE_NAME, software_version()]),
        name=SOFTWARE_NAME,
        manufacturer_name=SOFTWARE_NAME,
        model_name=SOFTWARE_NAME,
        serial_number=software_version(),
    )
    return sr.ObserverContext(codes.DCM.Device, device)
