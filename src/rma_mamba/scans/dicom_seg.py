"""A mask as a DICOM Segmentation object that refers to the images of the scan.

Source: DICOM PS3.3 A.51 and C.8.20 (Segmentation IOD), PS3.16 CID 7150 and 7192 (category and type of a segment).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from pydicom.sr.codedict import codes

from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.scans.dicom_objects import (
    NOT_STATED,
    SERIES_NUMBERS,
    derived_object,
    equipment,
    how_segmented,
    remarks_text,
    save,
    series_description,
)
from rma_mamba.scans.dicom_source_headers import unique
from rma_mamba.scans.dicom_structures import Structure, structures_of
from rma_mamba.scans.dicom_uids import DerivedUids
from rma_mamba.source_images import SourceImages
from rma_mamba.volume import Mask

_OUTPUT = "DICOM SEG"
_DESCRIPTION = 64  # characters


def write(mask: Mask, path: Path) -> None:
    """Write a binary segmentation with one segment, the liver, or one per class; empty frames are omitted.

    A segment includes the regions inside it: voxels of a tumour are in the segments of tumour and liver.

    Frames have the position, orientation and spacing of the images, character by character. A mask on a resampled
    grid is mapped back to the images first. An empty mask is written with all frames, which are empty.
    In a multi-frame object with several echoes or phases, only the frames that were read are referenced.

    Raises:
        ConfigError: The scan is not DICOM.
        ScanError: The headers of the scan are not sufficient, or the file cannot be written.
    """
    with derived_object(mask, _OUTPUT) as (images, headers):
        uids, provenance = DerivedUids(mask, images), mask.provenance
        series_of = {header.SOPInstanceUID: header.SeriesInstanceUID for header in headers}
        structures, parts = zip(*structures_of(mask), strict=True)
        planes = [images.on_slices(each).transpose(2, 1, 0) for each in parts]
        frames = np.ascontiguousarray(planes[0] if len(planes) == 1 else np.stack(planes, axis=-1))
        segmentation = hd.seg.Segmentation(
            source_images=_source_datasets(images, headers),
            pixel_array=frames,
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[
                _description(number, structure, provenance, uids.tracking(structure.name))
                for number, structure in enumerate(structures, 1)
            ],
            series_instance_uid=uids.series("SEG"),
            series_number=SERIES_NUMBERS["SEG"],
            sop_instance_uid=uids.instance("SEG"),
            instance_number=1,
            omit_empty_frames=bool(frames.any()),
            content_label="LIVER",
            content_description=_content_description(structures, provenance),
            content_creator_name=provenance.creator,
            series_description=series_description("Liver segmentation", provenance),
            **equipment(),
        )
        if "ContentCreatorName" not in segmentation:
            segmentation.ContentCreatorName = None  # type 2: may be empty, but not missing
        _restore_frame_numbers(segmentation, images)
        _restore_series(segmentation, series_of)
    save(segmentation, headers[0], path, _OUTPUT)


def _content_description(structures: Sequence[Structure], provenance: MaskProvenance) -> str:
    """Names of the structures, how they were segmented, and the traffic light, in 64 characters."""
    first, *others = (each.name for each in structures)
    names = ", ".join([first, *(name.lower() for name in others)])
    light = f", quality {provenance.remarks.light}" if provenance.remarks else ""
    made = f", {how_segmented(provenance)}{light}"
    return names[: _DESCRIPTION - len(made)] + made


def _description(
    number: int, structure: Structure, provenance: MaskProvenance, tracking_uid: str
) -> hd.seg.SegmentDescription:
    description = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=structure.name,
        segmented_property_category=structure.category,
        segmented_property_type=structure.kind,
        algorithm_type=provenance.kind.upper(),
        algorithm_identification=_algorithm(provenance),
        tracking_id=structure.name,
        tracking_uid=tracking_uid,
        display_color=hd.color.CIELabColor.from_rgb(*structure.rgb),
    )
    if text := remarks_text(provenance):
        description.SegmentDescription = text
    return description


def _algorithm(provenance: MaskProvenance) -> hd.AlgorithmIdentificationSequence | None:
    """The program with its weights; None for a mask drawn by hand."""
    if provenance.kind == "manual":
        return None
    weights = provenance.weights_sha256
    return hd.AlgorithmIdentificationSequence(
        name=provenance.algorithm or NOT_STATED,
        family=codes.cid7162.ArtificialIntelligence,
        version=provenance.version or NOT_STATED,
        parameters={"weights_sha256": weights} if weights else None,
    )


def _source_datasets(images: SourceImages, headers: list[pydicom.Dataset]) -> list[pydicom.Dataset]:
    """The images for highdicom; for a multi-frame object, only the frames that were read, in order.

    Frames of other echoes or phases have the same positions, which highdicom rejects, as it does slices that name a
    series each: here they all name the first.
    """
    datasets = unique(headers)
    for dataset in datasets:
        dataset.SeriesInstanceUID = datasets[0].SeriesInstanceUID
    if images.slices[0].frame is not None:
        groups = datasets[0].PerFrameFunctionalGroupsSequence
        read = [groups[(image.frame or 1) - 1] for image in images.slices]
        datasets[0].PerFrameFunctionalGroupsSequence = read
        datasets[0].NumberOfFrames = len(read)
    return datasets


def _restore_frame_numbers(segmentation: pydicom.Dataset, images: SourceImages) -> None:
    """Translate frame references, which count only the frames that were read, to frame numbers of the object."""
    if images.slices[0].frame is None:
        return
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        for derivation in group.get("DerivationImageSequence", []):
            for image in derivation.SourceImageSequence:
                number = int(image.ReferencedFrameNumber)
                image.ReferencedFrameNumber = images.slices[number - 1].frame


def _restore_series(segmentation: pydicom.Dataset, series_of: dict[str, str]) -> None:
    """Name the true series of each referenced image."""
    if len(set(series_of.values())) == 1:
        return
    referenced: dict[str, pydicom.Dataset] = {}
    for item in segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence:
        uid = series_of[item.ReferencedSOPInstanceUID]
        series = referenced.setdefault(uid, pydicom.Dataset())
        series.SeriesInstanceUID = uid
        series.ReferencedInstanceSequence = [*series.get("ReferencedInstanceSequence", []), item]
    segmentation.ReferencedSeriesSequence = list(referenced.values())
