"""A DICOM Segmentation of any tool as structures on the grid of a scan.

Source: DICOM PS3.3 C.8.20.2 (Segmentation Image), C.7.6.16.2.1, .3, .4 (pixel measures, position, orientation).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from rma_mamba.conventions import GRID_TOLERANCE_MM, LIVER
from rma_mamba.errors import GridError
from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.scans.checks import check_size
from rma_mamba.scans.dicom_mask_elements import (
    check_pixel_elements,
    missing_element,
    required,
    required_number,
    required_numbers,
)
from rma_mamba.scans.mask_content import MaskContent, NamedStructure
from rma_mamba.scans.placement import Bits, ImageStack, Points, outside_scan
from rma_mamba.volume import LPS_TO_RAS, Geometry, Volume

_LIVER_CODES = {"10200004", "T-62000"}  # SNOMED CT, and its older form


@dataclass(frozen=True, eq=False)
class _Frame:
    """One frame: its segments by number, and the positions of its pixels in LPS mm."""

    segments: dict[int, Bits] = field(repr=False)  # [row, column]
    size: tuple[int, int]
    start: Points
    to_next_column: Points
    to_next_row: Points
    spacing_mm: float | None  # to the next frame, as stated

    def positions(self, rows: Points, columns: Points) -> Points:
        return (
            self.start + np.outer(columns, self.to_next_column) + np.outer(rows, self.to_next_row)
        )


def read_segments(
    data: Dataset, scan: Volume | Geometry | None, provenance: MaskProvenance
) -> MaskContent:
    """The segments of a Segmentation, BINARY, FRACTIONAL (at least one half) or LABELMAP.

    Raises:
        ScanError: Pixels or positions are missing.
        GridError: Frames do not lie on the images of the scan, or are not of one grid where there is no scan.
    """
    frames = list(_frames(data))
    open_axis = 2 if scan is None else None  # empty frames need not be stored
    if scan is None:
        scan = _own_grid(frames)
    stacks = ImageStack.of_scan(scan)
    first_error: GridError | None = None
    for stack in stacks:
        try:
            placed = _placed(frames, stack)
        except GridError as error:
            first_error = first_error or error
            continue
        structures = _structures(data, placed, stack)
        return MaskContent(
            stack.geometry, structures=structures, provenance=provenance, open_axis=open_axis
        )
    raise first_error or GridError("no grid")


def _structures(
    data: Dataset, placed: dict[int, Bits], stack: ImageStack
) -> tuple[NamedStructure, ...]:
    found = []
    for segment in required(data, "SegmentSequence"):
        number = required_number(segment, "SegmentNumber")
        if number == 0:  # the background of a label map
            continue
        bits = placed.get(number)
        bits = np.zeros(stack.shape, bool) if bits is None else bits
        name = str(segment.get("SegmentLabel") or "")
        found.append(NamedStructure(number, name, _is_liver(segment, name), stack.on_grid(bits)))
    return tuple(found)


def _is_liver(segment: Dataset, name: str) -> bool:
    kinds = segment.get("SegmentedPropertyTypeCodeSequence") or []
    codes = {str(each.get("CodeValue")) for each in kinds}
    return bool(codes & _LIVER_CODES) or name.strip().lower() == LIVER


def _placed(frames: Sequence[_Frame], stack: ImageStack) -> dict[int, Bits]:
    """Each segment on the images of a scan."""
    found: dict[int, Bits] = {}
    for frame in frames:
        place = None
        for number, pixels in frame.segments.items():
            rows, columns = np.nonzero(pixels)
            bits = found.setdefault(number, np.zeros(stack.shape, bool))
            if not len(rows):
                continue
            start, column, row = place = place or _place(frame, stack)
            index = start + np.outer(columns, column) + np.outer(rows, row)
            inside = ((index >= 0) & (index < stack.shape)).all(axis=1)
            if not inside.all():
                raise outside_scan(int((~inside).sum()))
            bits[tuple(index.T)] = True
    return found


def _place(
    frame: _Frame, stack: ImageStack
) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Index of the first pixel, and the steps to the next column and the next row."""
    bottom, right = frame.size[0] - 1, frame.size[1] - 1
    rows, columns = np.array([0, 0, 1, 0, bottom, bottom]), np.array([0, 1, 0, right, 0, right])
    index = stack.index_of(frame.positions(rows.astype(float), columns.astype(float)))
    whole = np.rint(index[:3]).astype(int)
    start, column, row = whole[0], whole[1] - whole[0], whole[2] - whole[0]
    exact = start + np.outer(columns, column) + np.outer(rows, row)
    stack.require_close(index, exact, "frames")
    return start, column, row


def _frames(data: Dataset) -> Iterator[_Frame]:
    shared = (data.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    groups = required(data, "PerFrameFunctionalGroupsSequence")
    check_pixel_elements(data)
    rows, columns = (required_number(data, keyword) for keyword in ("Rows", "Columns"))
    check_size((rows, columns, len(groups)))
    pixels = data.pixel_array.reshape(len(groups), rows, columns)
    is_map = data.get("SegmentationType") == "LABELMAP"
    threshold = 1
    if data.get("SegmentationType") == "FRACTIONAL":
        threshold = max(1, (required_number(data, "MaximumFractionalValue") + 1) // 2)
    for group, plane in zip(groups, pixels, strict=True):
        if is_map:
            present = np.unique(plane)
            segments = {int(value): plane == value for value in present if value}
        else:
            found = _macro(group, shared, "SegmentIdentificationSequence")
            segments = {required_number(found, "ReferencedSegmentNumber"): plane >= threshold}
        yield _Frame(segments, plane.shape, *_plane(group, shared))


def _plane(group: Dataset, shared: Dataset) -> tuple[Points, Points, Points, float | None]:
    """First pixel, step to the next column, step to the next row, in LPS mm, and the stated distance of frames."""
    position = _macro(group, shared, "PlanePositionSequence")
    start = required_numbers(position, "ImagePositionPatient", 3)
    direction = _macro(group, shared, "PlaneOrientationSequence")
    along = required_numbers(direction, "ImageOrientationPatient", 6)
    measures = _macro(group, shared, "PixelMeasuresSequence")
    row_mm, column_mm = required_numbers(measures, "PixelSpacing", 2)
    apart = measures.get("SpacingBetweenSlices") or measures.get("SliceThickness")
    spacing_mm = abs(float(apart)) if apart else None
    return start, along[:3] * column_mm, along[3:] * row_mm, spacing_mm


def _macro(group: Dataset, shared: Dataset, name: str) -> Any:
    for source in (group, shared):
        if source.get(name):
            return source[name][0]
    raise missing_element(name)


def _own_grid(frames: Sequence[_Frame]) -> Geometry:
    """The grid of frames that lie behind each other at equal distances, some of which may be missing.

    Raises:
        GridError: The frames are not parallel, or not at multiples of one distance.
    """
    first = frames[0]
    column, row = first.to_next_column, first.to_next_row
    normal = np.cross(column, row)
    normal /= np.linalg.norm(normal)
    starts = np.array([each.start for each in frames])
    heights = np.unique(np.round(starts @ normal, 3))
    step_mm = _step_mm(heights, first.spacing_mm)
    numbers = np.rint((heights - heights[0]) / step_mm)
    uneven = np.abs(heights - heights[0] - numbers * step_mm).max()
    turned = max(
        np.abs(each.to_next_column - column).max() + np.abs(each.to_next_row - row).max()
        for each in frames
    )
    apart = starts - starts[0]
    shifted = np.abs(apart - np.outer(apart @ normal, normal)).max()
    sizes = {each.size for each in frames}
    if max(uneven, turned, shifted) > GRID_TOLERANCE_MM or len(sizes) > 1:
        raise GridError(
            "the frames of the segmentation do not form a regular grid; expected parallel frames at equal distances. "
            "Pass the scan on which it was drawn with --scan."
        )
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack((column, row, normal * step_mm))
    affine[:3, 3] = starts[int((starts @ normal).argmin())]
    rows, columns = first.size
    return Geometry((columns, rows, int(numbers[-1]) + 1), LPS_TO_RAS @ affine)


def _step_mm(heights: Points, stated_mm: float | None) -> float:
    """Distance between adjacent frames: as stated, if all lie at multiples of it; else the smallest one."""
    from_first = heights - heights[0]
    if stated_mm:
        away = np.abs(from_first - np.rint(from_first / stated_mm) * stated_mm).max()
        if away <= GRID_TOLERANCE_MM:
            return stated_mm
    return min((float(b - a) for a, b in pairwise(heights)), default=1.0)
