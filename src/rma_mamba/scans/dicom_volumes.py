"""Slices that share a place: copies, or the volumes of a 4-D series (echoes, phases, b-values)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rma_mamba.scans.checks import check_volume_number
from rma_mamba.scans.dicom_image import DicomImage
from rma_mamba.scans.slice_grid import SAME_POSITION_MM, Plane, positions_along_normal

# What tells the volumes of one series apart, with the word for it.
_KEYWORDS = {
    "EchoTime": "echo time",
    "EffectiveEchoTime": "echo time",
    "EchoNumbers": "echo",
    "InversionTime": "inversion time",
    "FlipAngle": "flip angle",
    "DiffusionBValue": "b-value",
    "TemporalPositionIdentifier": "phase",
    "TemporalPositionIndex": "phase",
    "TriggerTime": "trigger time",
    "AcquisitionNumber": "acquisition",
    "ImageType": "kind of image",
}

# A volume of the series has slices at nearly all places; two overlapping breath-holds have not.
_WHOLE = 0.8

Digest = Callable[[DicomImage], bytes]


@dataclass(frozen=True, eq=False)
class SeriesVolumes:
    """The volumes of one series.

    Args:
        volumes: The slices of each.
        differ: In what they differ, in words.
        faults: What is wrong with the slices, for strict reading.
        repairs: The same, and what was done about it, one sentence each.
    """

    volumes: list[list[DicomImage]]
    differ: str = ""
    faults: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()

    def pick(self, frame: int | None) -> list[DicomImage]:
        """The slices of one volume, counted from 1; None: of the only one.

        Raises:
            ScanError: There are several, and none was named.
            ConfigError: There is none with this number.
        """
        return self.volumes[check_volume_number(frame, len(self.volumes), self.differ) - 1]


def split_volumes(slices: Sequence[DicomImage], digest: Digest) -> SeriesVolumes:
    """Tell the volumes of a series apart, and pass over copies.

    Args:
        slices: Parallel slices with a place, in any order.
        digest: A hash of an image's pixels.
    """
    unique, copies = _without_copies(slices)
    places = _places([image.plane for image in unique])
    most = max(Counter(places).values())
    if most == 1:
        return SeriesVolumes([unique], "", *_told(copies, 0))
    keywords = [word for word in _KEYWORDS if _tells_apart(word, unique, places, most)]
    groups: dict[tuple[tuple[float, str], ...], list[int]] = {}
    for index, image in enumerate(unique):
        key = tuple(_sortable(image, keyword) for keyword in keywords)
        groups.setdefault(key, []).append(index)
    volumes: list[list[DicomImage]] = []
    retakes = 0
    for key in sorted(groups):
        split, same, other = _split(groups[key], unique, places, digest)
        volumes += split
        copies, retakes = copies + same, retakes + other
    words = dict.fromkeys(_KEYWORDS[keyword] for keyword in keywords)
    return SeriesVolumes(volumes, " and ".join(words), *_told(copies, retakes))


def _split(
    indices: list[int], images: Sequence[DicomImage], places: list[int], digest: Digest
) -> tuple[list[list[DicomImage]], int, int]:
    """Volumes of one group, and how many copies and retaken slices were passed over."""
    stacks: dict[int, list[DicomImage]] = {}
    copies = 0
    counts = Counter(places[index] for index in indices)
    seen: set[tuple[int, bytes]] = set()
    for index in sorted(indices, key=lambda index: _order(images[index])):
        place, image = places[index], images[index]
        if counts[place] > 1:
            content = place, digest(image)
            if content in seen:
                copies += 1
                continue
            seen.add(content)
        stacks.setdefault(place, []).append(image)
    depths = {len(stack) for stack in stacks.values()}
    if len(depths) == 1:
        (depth,) = depths
        return [[stack[level] for stack in stacks.values()] for level in range(depth)], copies, 0
    kept = [stack[0] for stack in stacks.values()]
    return [kept], copies, len(indices) - copies - len(kept)


def _told(copies: int, retakes: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Faults, and sentences on what was done about them."""
    faults, repairs = [], []
    if copies:
        what = "copy of a slice was" if copies == 1 else "copies of slices were"
        faults.append(f"{copies} exact {what} found")
        repairs.append(f"{copies} exact {what} passed over.")
    if retakes:
        what = "slice lies" if retakes == 1 else "slices lie"
        faults.append(f"{retakes} {what} at the place of another one with other content")
        repairs.append(f"{retakes} {what} at the place of another one: the first was kept.")
    return tuple(faults), tuple(repairs)


def _without_copies(slices: Sequence[DicomImage]) -> tuple[list[DicomImage], int]:
    """The slices without files that are, byte for byte, a copy of another one, and how many these are."""
    first: dict[tuple[object, ...], DicomImage] = {}
    seen: dict[tuple[object, ...], set[bytes]] = {}
    hashes: dict[str, bytes] = {}
    unique = []

    def content(image: DicomImage) -> bytes:
        if image.entry.name not in hashes:
            hashes[image.entry.name] = hashlib.sha256(image.entry.content()).digest()
        return hashes[image.entry.name]

    for image in slices:
        # read whole, and once, only where another slice lies at the same place
        key = (image.place, image.entry.size, image.frame)
        if key in first:
            known = seen.setdefault(key, {content(first[key])})
            if content(image) in known:
                continue
            known.add(content(image))
        first.setdefault(key, image)
        unique.append(image)
    return unique, len(slices) - len(unique)


def _places(planes: Sequence[Plane]) -> list[int]:
    """A number for each slice, the same for slices at one place."""
    heights = positions_along_normal(planes)
    order = np.argsort(heights, kind="stable")
    numbers = np.empty(len(planes), int)
    numbers[order] = np.cumsum(
        np.diff(heights[order], prepend=heights[order][0]) >= SAME_POSITION_MM
    )
    found: list[int] = numbers.tolist()
    return found


def _tells_apart(keyword: str, images: Sequence[DicomImage], places: list[int], most: int) -> bool:
    """Whether an element has a few values, each at nearly all places."""
    covered: dict[object, set[int]] = {}
    for image, place in zip(images, places, strict=True):
        covered.setdefault(_sortable(image, keyword), set()).add(place)
    needed = _WHOLE * len(set(places))
    return 1 < len(covered) <= most and all(len(found) >= needed for found in covered.values())


def _sortable(image: DicomImage, keyword: str) -> tuple[float, str]:
    if keyword == "ImageType":
        return 0.0, "\\".join(image.image_type)
    number = image.numbers(keyword)
    return (number[0] if number else -1.0), ""


def _order(image: DicomImage) -> tuple[int, int, str]:
    return image.integer("InstanceNumber"), image.frame or 0, image.entry.name
