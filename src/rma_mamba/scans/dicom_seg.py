"""A mask as a DICOM Segmentation object on the scan's own images.

Source: DICOM PS3.3 A.51 and C.8.20 (Segmentation IOD), PS3.16 CID 7150 and 7192 (what a segment shows).
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.sr.codedict import codes

from rma_mamba.scans import dicom_source
from rma_mamba.scans.dicom_source import ANATOMY, LIVER, NAME, SERIES_NUMBERS
from rma_mamba.scans.writing import checked_source
from rma_mamba.source import SliceSource
from rma_mamba.volume import Mask

LIVER_RGB = (221, 130, 101)  # the colour of "liver" in the terminologies of DICOM viewers

_WHAT = "DICOM SEG"


def write(mask: Mask, path: Path) -> None:
    """Write a binary segmentation with one segment, the liver; slices without it are left out.

    Frames have the positions, orientation and spacing of the scan's images, character by character. A mask
    on a repaired grid is brought back to the images first. An empty mask keeps all frames, which are empty.

    Raises:
        ConfigError: The scan was no DICOM.
        ScanError: The scan's headers lack what the object needs, or the file cannot be written.
    """
    source = checked_source(mask.source, _WHAT)
    with dicom_source.building(_WHAT):
        headers = dicom_source.image_headers(mask, source)
        frames = _frames(mask, source, headers)
        segmentation = hd.seg.Segmentation(
            source_images=dicom_source.unique(headers),
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
            **dicom_source.equipment(),
        )
        if "ContentCreatorName" not in segmentation:
            segmentation.ContentCreatorName = None  # may be empty, but not missing
    dicom_source.save(segmentation, path, _WHAT)


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


def _frames(
    mask: Mask, source: SliceSource, headers: list[pydicom.Dataset]
) -> npt.NDArray[np.uint8]:
    """The mask [frame, row, column] on all images, or on all frames of a multi-frame object."""
    planes: Any = source.on_slices(mask.labels).transpose(2, 1, 0)
    planes = np.ascontiguousarray(planes != 0).view(np.uint8)
    if source.slices[0].frame is None:
        return planes  # type: ignore[no-any-return]
    # a multi-frame object may hold other echoes or phases, on which nothing is drawn
    frames = np.zeros((int(headers[0].NumberOfFrames), *planes.shape[1:]), np.uint8)
    for image, plane in zip(source.slices, planes, strict=True):
        frames[(image.frame or 1) - 1] = plane
    return frames
