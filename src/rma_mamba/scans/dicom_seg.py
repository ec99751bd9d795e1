"""A mask as a DICOM Segmentation object on the scan's own images.

Source: DICOM PS3.3 A.51 and C.8.20 (Segmentation IOD), PS3.16 CID 7150 and 7192 (what a segment shows).
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from pydicom.sr.codedict import codes
from pydicom.valuerep import format_number_as_ds

from rma_mamba.conventions import LIVER_RGB
from rma_mamba.scans import dicom_objects
from rma_mamba.scans.checks import require_source_images
from rma_mamba.scans.dicom_objects import ANATOMY, LIVER, NAME, SERIES_NUMBERS
from rma_mamba.source_images import SourceImages
from rma_mamba.volume import Mask

_WHAT = "DICOM SEG"


def write(mask: Mask, path: Path) -> None:
    """Write a binary segmentation with one segment, the liver; slices without it are left out.

    Frames have the positions, orientation and spacing of the scan's images, character by character. A mask
    on a repaired grid is brought back to the images first. An empty mask keeps all frames, which are empty.
    Of a multi-frame object with several echoes or phases only the frames that were read are referred to.

    Raises:
        ConfigError: The scan was no DICOM.
        ScanError: The scan's headers lack what the object needs, or the file cannot be written.
    """
    source = require_source_images(mask.source_images, _WHAT)
    with dicom_objects.building(_WHAT):
        headers = dicom_objects.image_headers(mask, source)
        frames = np.ascontiguousarray(source.on_slices(mask.labels).transpose(2, 1, 0))
        segmentation = hd.seg.Segmentation(
            source_images=_images(source, headers),
            pixel_array=frames,
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[_description()],
            series_instance_uid=hd.UID(),
            series_number=SERIES_NUMBERS["SEG"],
            sop_instance_uid=hd.UID(),
            instance_number=1,
            omit_empty_frames=bool(frames.any()),
            content_label="LIVER",
            content_description="Liver, segmented automatically",
            series_description=f"Liver segmentation ({NAME})",
            **dicom_objects.equipment(),
        )
        if "ContentCreatorName" not in segmentation:
            segmentation.ContentCreatorName = None  # may be empty, but not missing
        _settle_spacing(segmentation, mask, source)
        _name_frames(segmentation, source)
    dicom_objects.save(segmentation, path, _WHAT)


def _description() -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Liver",
        segmented_property_category=ANATOMY,
        segmented_property_type=LIVER,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=NAME, family=codes.cid7162.ArtificialIntelligence, version=version(NAME)
        ),
        tracking_id="Liver",
        tracking_uid=hd.UID(),
        display_color=hd.color.CIELabColor.from_rgb(*LIVER_RGB),
    )


def _images(source: SourceImages, headers: list[pydicom.Dataset]) -> list[pydicom.Dataset]:
    """The images as highdicom takes them: of a multi-frame object the frames that were read, in their order.

    Those of other echoes or phases lie at the same places, which it refuses.
    """
    images = dicom_objects.unique(headers)
    if source.slices[0].frame is not None:
        groups = images[0].PerFrameFunctionalGroupsSequence
        read = [groups[(image.frame or 1) - 1] for image in source.slices]
        images[0].PerFrameFunctionalGroupsSequence = read
        images[0].NumberOfFrames = len(read)
    return images


def _name_frames(segmentation: pydicom.Dataset, source: SourceImages) -> None:
    """Give the frames that are referred to the numbers that they have in the whole object."""
    if source.slices[0].frame is None:
        return
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        for derivation in group.get("DerivationImageSequence", []):
            for image in derivation.SourceImageSequence:
                read = int(image.ReferencedFrameNumber)
                image.ReferencedFrameNumber = source.slices[read - 1].frame


def _settle_spacing(segmentation: pydicom.Dataset, mask: Mask, source: SourceImages) -> None:
    """Say how far slices are apart where some are missing.

    Without it readers that put frames on a regular grid (dcmqi, 3D Slicer) take the thickness of a slice for
    it, and the mask is stretched.
    """
    measures = segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    heights = source.offsets[:, 2]
    if "SpacingBetweenSlices" not in measures and np.array_equal(heights, heights.round()):
        step_mm = dicom_objects.slice_step_mm(mask)
        measures.SpacingBetweenSlices = format_number_as_ds(round(step_mm, 6))
