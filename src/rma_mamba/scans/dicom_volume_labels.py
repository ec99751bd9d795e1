"""What distinguishes the volumes of one series, in words: echo time, b-value, phase, time of acquisition.

Source: DICOM PS3.3 C.8.3.1, C.8.13 (MR), C.7.6.16.2.2 (Frame Content), C.7.6.16.2.7 (Cardiac Synchronization),
C.7.6.16.2.17 (Temporal Position).
"""

from __future__ import annotations

from collections.abc import Sequence

from rma_mamba.scans.dicom_image import DicomImage

# Elements that distinguish volumes, with their names in messages.
NAMES = {
    "EchoTime": "echo time",
    "EffectiveEchoTime": "echo time",
    "EchoNumbers": "echo",
    "InversionTime": "inversion time",
    "InversionTimes": "inversion time",
    "FlipAngle": "flip angle",
    "DiffusionBValue": "b-value",
    "TemporalPositionIdentifier": "phase",
    "TemporalPositionIndex": "phase",
    "TemporalPositionTimeOffset": "time",
    "TriggerTime": "trigger time",
    "NominalCardiacTriggerDelayTime": "trigger time",
    "NominalPercentageOfCardiacPhase": "cardiac phase",
    "AcquisitionNumber": "acquisition",
    "FrameAcquisitionNumber": "acquisition",
    "ImageType": "image type",
    "AcquisitionTime": "acquisition time",
    "ContentTime": "acquisition time",
}

# Times of acquisition differ whenever volumes do; they count if nothing else tells volumes apart.
FALLBACKS = ("AcquisitionTime", "ContentTime")

_UNITS = {
    "EchoTime": " ms",
    "EffectiveEchoTime": " ms",
    "InversionTime": " ms",
    "InversionTimes": " ms",
    "FlipAngle": " degrees",
    "DiffusionBValue": " s/mm2",
    "TemporalPositionTimeOffset": " s",
    "TriggerTime": " ms",
    "NominalCardiacTriggerDelayTime": " ms",
    "NominalPercentageOfCardiacPhase": "%",
}


def distinguishing_value(image: DicomImage, keyword: str) -> tuple[float, str]:
    """The value of an element, for sorting; -1 if it is missing."""
    if keyword == "ImageType":
        return 0.0, "\\".join(image.image_type)
    number = image.numbers(keyword)
    return (number[0] if number else -1.0), ""


def volume_labels(
    volumes: Sequence[Sequence[DicomImage]], keywords: Sequence[str]
) -> tuple[str, ...]:
    """What distinguishes each of several volumes.

    Args:
        volumes: The slices of each volume.
        keywords: The elements in which the volumes differ; their instance numbers are given where these are equal.
    """
    if len(volumes) == 1:
        return ()
    values = [[distinguishing_value(slices[0], word) for word in keywords] for slices in volumes]
    first = values[0]
    labels = []
    for slices, found in zip(volumes, values, strict=True):
        parts = [
            f"{NAMES[word]} {_text(word, value, start, values)}"
            for word, value, start in zip(keywords, found, first, strict=True)
        ]
        if values.count(found) > 1:
            parts.append(_instances(slices))
        labels.append(", ".join(dict.fromkeys(parts)))
    return tuple(labels)


def _text(
    keyword: str,
    value: tuple[float, str],
    first: tuple[float, str],
    values: Sequence[Sequence[tuple[float, str]]],
) -> str:
    number, text = value
    if keyword == "ImageType":
        return _distinct_parts(text, [found for row in values for _, found in row if found])
    if number == -1.0:
        return "unknown"
    if keyword in FALLBACKS:
        return f"+{_seconds(number) - _seconds(first[0]):g} s"
    return f"{number:g}{_UNITS.get(keyword, '')}"


def _distinct_parts(text: str, others: Sequence[str]) -> str:
    """The values of an image type that not all volumes share."""
    shared = set.intersection(*(set(other.split("\\")) for other in others))
    parts = [part for part in text.split("\\") if part not in shared]
    return "\\".join(part for part in parts if part.isprintable()) or text


def _seconds(time: float) -> float:
    """Seconds since midnight of a time written as HHMMSS.FFFFFF."""
    hours, rest = divmod(time, 10_000)
    minutes, seconds = divmod(rest, 100)
    return round(hours * 3600 + minutes * 60 + seconds, 1)


def _instances(slices: Sequence[DicomImage]) -> str:
    numbers = [image.integer("InstanceNumber") or (image.frame or 0) for image in slices]
    return f"instances {min(numbers)} to {max(numbers)}"
