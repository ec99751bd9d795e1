"""Slices at the same position: duplicates, or the volumes of one series (echoes, phases, b-values)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rma_mamba.scans.checks import check_volume_number
from rma_mamba.scans.dicom_image import DicomImage
from rma_mamba.scans.dicom_volume_labels import (
    FALLBACKS,
    NAMES,
    distinguishing_value,
    volume_labels,
)
from rma_mamba.scans.slice_planes import SAME_POSITION_MM, Plane, positions_along_normal

# A volume has slices at nearly all positions of the series; one of several overlapping breath-holds does not.
_MIN_COVERAGE = 0.8

# An error lists so many volumes; `rma-mamba series` lists all.
_MAX_LISTED = 8

Digest = Callable[[DicomImage], bytes]


@dataclass(frozen=True, eq=False)
class SeriesVolumes:
    """The volumes of one series.

    Args:
        volumes: The slices of each volume.
        differing: The elements in which the volumes differ, as text.
        problems: What is wrong with the slices, for the error of strict reading.
        repairs: One warning per problem, including how it was repaired.
        labels: What distinguishes each volume, as text; empty if there is one.
    """

    volumes: list[list[DicomImage]]
    differing: str = ""
    problems: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def select(self, volume: int | None) -> list[DicomImage]:
        """The slices of one volume, counted from 1; errors as for `check_volume_number`."""
        differing = self.differing
        if differing and len(self.labels) <= _MAX_LISTED:
            differing += f" ({', '.join(f'{n}: {text}' for n, text in enumerate(self.labels, 1))})"
        return self.volumes[check_volume_number(volume, len(self.volumes), differing) - 1]


def split_volumes(slices: Sequence[DicomImage], digest: Digest) -> SeriesVolumes:
    """Split the slices of a series into volumes, and drop duplicates.

    Args:
        slices: Parallel slices in any order.
        digest: Computes a hash of the pixels of an image.
    """
    unique, duplicates = _without_duplicate_files(slices)
    positions = _position_numbers([image.plane for image in unique])
    most = max(Counter(positions).values())
    if most == 1:
        return SeriesVolumes([unique], "", *_messages(duplicates, 0))
    keywords = _distinguishing_keywords(unique, positions, most)
    groups: dict[tuple[tuple[float, str], ...], list[int]] = {}
    for index, image in enumerate(unique):
        key = tuple(distinguishing_value(image, keyword) for keyword in keywords)
        groups.setdefault(key, []).append(index)
    volumes: list[list[DicomImage]] = []
    conflicts = 0
    for key in sorted(groups):
        group, copies, conflicting = _split_group(groups[key], unique, positions, digest)
        volumes += group
        duplicates, conflicts = duplicates + copies, conflicts + conflicting
    names = dict.fromkeys(NAMES[keyword] for keyword in keywords)
    differing = " and ".join(names) if len(volumes) > 1 else ""
    labels = volume_labels(volumes, keywords)
    return SeriesVolumes(volumes, differing, *_messages(duplicates, conflicts), labels)


def _distinguishing_keywords(
    images: Sequence[DicomImage], positions: list[int], most: int
) -> list[str]:
    """The elements in which the volumes differ; times of acquisition only if nothing else differs."""
    found = [
        word
        for word in NAMES
        if word not in FALLBACKS and _distinguishes(word, images, positions, most)
    ]
    times = (word for word in FALLBACKS if _distinguishes(word, images, positions, most))
    return found or list(times)[:1]


def _split_group(
    indices: list[int], images: Sequence[DicomImage], positions: list[int], digest: Digest
) -> tuple[list[list[DicomImage]], int, int]:
    """Volumes of one group, and the numbers of dropped duplicates and of dropped conflicting slices."""
    at_position: dict[int, list[DicomImage]] = {}
    duplicates = 0
    counts = Counter(positions[index] for index in indices)
    seen: set[tuple[int, bytes]] = set()
    for index in sorted(indices, key=lambda index: _acquisition_order(images[index])):
        position, image = positions[index], images[index]
        if counts[position] > 1:
            content = position, digest(image)
            if content in seen:
                duplicates += 1
                continue
            seen.add(content)
        at_position.setdefault(position, []).append(image)
    depths = {len(same) for same in at_position.values()}
    if len(depths) == 1:
        (depth,) = depths
        volumes = [[same[level] for same in at_position.values()] for level in range(depth)]
        return volumes, duplicates, 0
    first = [same[0] for same in at_position.values()]
    return [first], duplicates, len(indices) - duplicates - len(first)


def _messages(duplicates: int, conflicts: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Problems, and warnings that say how they were repaired."""
    problems, repairs = [], []
    if duplicates:
        slices, were = ("slice", "was") if duplicates == 1 else ("slices", "were")
        problems.append(f"{duplicates} duplicate {slices}")
        repairs.append(f"{duplicates} duplicate {slices} {were} skipped.")
    if conflicts:
        slices, have = ("slice", "has") if conflicts == 1 else ("slices", "have")
        found = (
            f"{conflicts} {slices} {have} the same position as another slice but different pixels"
        )
        problems.append(found)
        repairs.append(f"{found}: the first slice was kept.")
    return tuple(problems), tuple(repairs)


def _without_duplicate_files(slices: Sequence[DicomImage]) -> tuple[list[DicomImage], int]:
    """Drop byte-identical copies of files; return the remaining slices and the number of copies."""
    first: dict[tuple[object, ...], DicomImage] = {}
    seen: dict[tuple[object, ...], set[bytes]] = {}
    hashes: dict[str, bytes] = {}
    unique = []

    def content(image: DicomImage) -> bytes:
        if image.file.name not in hashes:
            hashes[image.file.name] = hashlib.sha256(image.file.content()).digest()
        return hashes[image.file.name]

    for image in slices:
        # A file is read in full, once, and only if another slice has the same position and file size.
        key = (image.position, image.file.size, image.frame)
        if key in first:
            known = seen.setdefault(key, {content(first[key])})
            if content(image) in known:
                continue
            known.add(content(image))
        first.setdefault(key, image)
        unique.append(image)
    return unique, len(slices) - len(unique)


def _position_numbers(planes: Sequence[Plane]) -> list[int]:
    """A number for each slice, equal for slices at the same position."""
    along = positions_along_normal(planes)
    order = np.argsort(along, kind="stable")
    numbers = np.empty(len(planes), int)
    numbers[order] = np.cumsum(np.diff(along[order], prepend=along[order][0]) >= SAME_POSITION_MM)
    result: list[int] = numbers.tolist()
    return result


def _distinguishes(
    keyword: str, images: Sequence[DicomImage], positions: list[int], most: int
) -> bool:
    """Whether an element has several values, each of them at nearly all positions."""
    covered: dict[object, set[int]] = {}
    for image, position in zip(images, positions, strict=True):
        covered.setdefault(distinguishing_value(image, keyword), set()).add(position)
    required = _MIN_COVERAGE * len(set(positions))
    return 1 < len(covered) <= most and all(len(where) >= required for where in covered.values())


def _acquisition_order(image: DicomImage) -> tuple[int, int, str]:
    return image.integer("InstanceNumber"), image.frame or 0, image.file.name
