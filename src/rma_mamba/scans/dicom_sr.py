"""Measurements of the liver as a DICOM Structured Report that archives can search.

Source: DICOM PS3.16 TID 1500 (Measurement Report), TID 1411 and 1501 (measurement groups), TID 300 (Measurement).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import highdicom as hd
import pydicom
from highdicom import sr
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from rma_mamba.errors import ScanError
from rma_mamba.scans import dicom_objects
from rma_mamba.scans.checks import require_source_images
from rma_mamba.scans.dicom_objects import ANATOMY, LIVER, NAME, SERIES_NUMBERS
from rma_mamba.source_images import SourceImages
from rma_mamba.volume import Mask

_WHAT = "DICOM SR"
_MILLILITRE = Code("mL", "UCUM", "milliliter")
_VOLUME = codes.SCT.Volume
_MEAN, _SD = codes.SCT.Mean, codes.SCT.StandardDeviation
_ATTENUATION = codes.DCM.AttenuationCoefficient

# name of the value, what it is, its unit, and how it was derived
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


def write(
    mask: Mask,
    values: Mapping[str, float | None],
    path: Path,
    *,
    comments: Sequence[str] = (),
    segmentation: Path | None = None,
) -> None:
    """Write a measurement report with one group of measurements, those of the liver.

    Args:
        mask: The mask, for the images that it belongs to.
        values: Measurements by name and unit; of those that are there, `volume_ml`, `surface_area_mm2`,
            `intensity_mean_hu` and `intensity_sd_hu` are written.
        path: Where to write.
        comments: What a reader of the volume has to know.
        segmentation: The DICOM SEG of the same mask, to which the group then refers; None: it refers to the images.

    Raises:
        ConfigError: The scan was no DICOM.
        ScanError: The scan's headers lack what the object needs, or the file cannot be written.
    """
    source = require_source_images(mask.source_images, _WHAT)
    with dicom_objects.building(_WHAT):
        headers = dicom_objects.image_headers(mask, source)
        segment = pydicom.dcmread(segmentation) if segmentation else None
        group = _group(source, headers, segment, values)
        for comment in comments:
            group[0].ContentSequence.append(_comment(comment))
        content = sr.MeasurementReport(
            sr.ObservationContext(observer_device_context=_observer()),
            _PROCEDURES.get(str(headers[0].get("Modality")), codes.cid100.ImagingProcedure),
            [group],
        )
        report = sr.Comprehensive3DSR(
            evidence=[*dicom_objects.unique(headers), *([segment] if segment else [])],
            content=content[0],
            series_instance_uid=hd.UID(),
            series_number=SERIES_NUMBERS["SR"],
            sop_instance_uid=hd.UID(),
            instance_number=1,
            is_complete=True,
            series_description=f"Liver measurements ({NAME})",
            **dicom_objects.equipment(),
        )
    dicom_objects.save(report, path, _WHAT)


def _group(
    source: SourceImages,
    headers: list[Dataset],
    segment: Dataset | None,
    values: Mapping[str, float | None],
) -> Any:
    described: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(_tracking_uid(segment), "Liver"),
        "finding_type": LIVER,
        "finding_category": ANATOMY,
        "finding_sites": [sr.FindingSite(LIVER)],
        "algorithm_id": sr.AlgorithmIdentification(
            NAME, version(NAME), family=codes.cid7162.ArtificialIntelligence
        ),
        "measurements": _measured(values),
    }
    if segment is not None:
        reference = _segment_reference(segment, source, headers)
        return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            referenced_segment=reference, **described
        )
    return sr.MeasurementsAndQualitativeEvaluations(
        source_images=[
            sr.SourceImageForMeasurementGroup(header.SOPClassUID, header.SOPInstanceUID, frames)
            for header, frames in _images(source, headers)
        ],
        **described,
    )


def _tracking_uid(segment: Dataset | None) -> str:
    """The segment's, which is one thing in the patient with what is measured; else a new one."""
    return str(hd.UID() if segment is None else segment.SegmentSequence[0].TrackingUID)


def _segment_reference(
    segment: Dataset, source: SourceImages, headers: list[Dataset]
) -> sr.ReferencedSegment:
    if segment.get("FrameOfReferenceUID") != headers[0].FrameOfReferenceUID:
        raise ScanError(
            "the segmentation belongs to another scan than the measurements; expected the same one. "
            "Write both from one mask."
        )
    return sr.ReferencedSegment(
        segment.SOPClassUID,
        segment.SOPInstanceUID,
        segment_number=1,
        source_images=[
            sr.SourceImageForSegmentation(header.SOPClassUID, header.SOPInstanceUID, frames)
            for header, frames in _images(source, headers)
        ],
    )


def _images(source: SourceImages, headers: list[Dataset]) -> list[tuple[Dataset, list[int] | None]]:
    """Each image object once, with the numbers of its frames if it has several."""
    frames = [image.frame for image in source.slices if image.frame is not None]
    return [(header, frames or None) for header in dicom_objects.unique(headers)]


def _measured(values: Mapping[str, float | None]) -> list[sr.Measurement]:
    found = []
    for name, concept, unit, derivation in _MEASUREMENTS:
        value = values.get(name)
        if value is not None:
            found.append(
                sr.Measurement(concept, round(value, _DIGITS), unit, derivation=derivation)
            )
    return found


def _comment(text: str) -> Any:
    return sr.TextContentItem(
        codes.DCM.Comment, text, relationship_type=sr.RelationshipTypeValues.CONTAINS
    )


def _observer() -> sr.ObserverContext:
    release = version(NAME)
    device = sr.DeviceObserverIdentifyingAttributes(
        # one identifier for one version of the program, wherever it runs
        uid=generate_uid(entropy_srcs=[NAME, release]),
        name=NAME,
        manufacturer_name=NAME,
        model_name=NAME,
        serial_number=release,
    )
    return sr.ObserverContext(codes.DCM.Device, device)
