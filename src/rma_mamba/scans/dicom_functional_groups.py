"""Frames of enhanced multi-frame objects: which functional group macro defines which element.

A functional group sequence may hold any other sequence as well: private ones, references to other images, real world
values, icons. These repeat public elements for purposes of their own, so an element counts only where the standard
defines it.

Source: DICOM PS3.3 C.7.6.16 (Multi-frame Functional Groups), C.8.13.5 (MR), C.8.15.3 (CT), C.7.6.16.2.25 and .26
(attributes of converted single-frame images).
"""

from __future__ import annotations

import pydicom

from rma_mamba.scans.dicom_image import FUNCTIONAL_GROUPS, DicomImage

# Elements of a legacy single-frame image that have no macro of their own; they tell volumes apart.
_CONVERTED = (
    *(
        "InstanceNumber",
        "AcquisitionNumber",
        "EchoTime",
        "EchoNumbers",
        "InversionTime",
        "FlipAngle",
    ),
    *("TemporalPositionIdentifier", "DiffusionBValue", "TriggerTime", "AcquisitionTime"),
)

# Each macro with its elements that are read.
_MACROS: dict[str, tuple[str, ...]] = {
    "UnassignedSharedConvertedAttributesSequence": _CONVERTED,
    "UnassignedPerFrameConvertedAttributesSequence": _CONVERTED,
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameContentSequence": ("TemporalPositionIndex", "FrameAcquisitionNumber"),
    "TemporalPositionSequence": ("TemporalPositionTimeOffset",),
    "CardiacSynchronizationSequence": ("NominalCardiacTriggerDelayTime",),
    "MREchoSequence": ("EffectiveEchoTime",),
    "MRModifierSequence": ("InversionTimes",),
    "MRTimingAndRelatedParametersSequence": ("FlipAngle",),
    "MRDiffusionSequence": ("DiffusionBValue",),
    "MRImageFrameTypeSequence": ("FrameType",),
    "CTImageFrameTypeSequence": ("FrameType",),
}


def split_frames(image: DicomImage) -> list[DicomImage]:
    """The frames of an enhanced object as separate images; any other image unchanged.

    Raises:
        ValueError: NumberOfFrames differs from the number of per-frame functional groups.
    """
    if not image.is_multi_frame:
        return [image]
    shared, per_frame = (image.header.get(keyword) or [] for keyword in FUNCTIONAL_GROUPS)
    declared = image.value("NumberOfFrames")
    if declared not in (None, "") and len(per_frame) != image.integer("NumberOfFrames"):
        raise ValueError
    common = pydicom.Dataset()
    for element in image.header:
        if element.keyword not in FUNCTIONAL_GROUPS:
            common.add(element)
    for group in shared[:1]:
        _add_elements(group, common)
    frames = []
    for number, group in enumerate(per_frame, start=1):
        header = pydicom.Dataset()
        header.update(common)
        _add_elements(group, header)
        frames.append(DicomImage(image.file, header, image.syntax, number))
    return frames


def _add_elements(group: pydicom.Dataset, header: pydicom.Dataset) -> None:
    """Copy the elements of the public macros of a functional group to the top level of a header."""
    for macro, keywords in _MACROS.items():
        items = group.get(macro)
        if not isinstance(items, pydicom.Sequence) or not items:
            continue
        item = items[0]  # a macro has one item
        header.update({item[word].tag: item[word] for word in keywords if word in item})
