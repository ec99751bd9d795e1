"""The contours of a DICOM RT Structure Set of any tool as structures on the grid of a scan.

A voxel belongs to a structure if its centre is inside an odd number of contours: holes may be contours of their own, or
be joined to their outline by a channel.

Source: DICOM PS3.3 C.8.8.6 (ROI Contour).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydicom import Dataset

from rma_mamba.conventions import GRID_TOLERANCE_MM, LIVER
from rma_mamba.errors import GridError, ScanError
from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.scans.contours import filled
from rma_mamba.scans.dicom_mask_elements import (
    check_present,
    required,
    required_number,
    required_numbers,
)
from rma_mamba.scans.mask_content import MaskContent, NamedStructure
from rma_mamba.scans.placement import Bits, ImageStack, Points
from rma_mamba.volume import Geometry, Volume

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_LIVER_CODES = {"10200004", "T-62000"}  # SNOMED CT, and its older form
_OFF_PLANE = 0.25  # of the slice spacing: planning systems round positions of contours


def read_contours(
    data: Dataset, scan: Volume | Geometry | None, provenance: MaskProvenance
) -> MaskContent:
    """The regions of interest of a structure set.

    Raises:
        ScanError: There is no scan, whose grid contours need, or no region of interest.
        GridError: Contours do not lie in the images of the scan.
    """
    if scan is None:
        raise ScanError(
            "a DICOM RT Structure Set has contours but no voxels; expected the scan on which they were drawn. "
            "Pass it with --scan."
        )
    stack = ImageStack.of_scan(scan)[0]
    check_present(data, "StructureSetROISequence")
    regions = data.StructureSetROISequence or []
    names = {required_number(each, "ROINumber"): each for each in regions}
    livers = set(_coded_livers(data))
    structures, warnings = [], []
    for item in data.get("ROIContourSequence") or []:
        number = required_number(item, "ReferencedROINumber")
        name = str(names[number].get("ROIName") or "") if number in names else ""
        found, others = _contours(item)
        bits, gaps = _filled(found, stack)
        is_liver = number in livers or name.strip().lower() == LIVER
        structures.append(NamedStructure(number, name, is_liver, stack.on_grid(bits)))
        if others:
            warnings.append(f"Structure {number} has {others} open contours or points, left out.")
        if gaps:
            text = f"Structure {number} has no contour on {gaps} images between its first and last one."
            warnings.append(text)
    if not structures:
        raise ScanError(
            "the structure set has no regions of interest; expected contours. Export it again."
        )
    return MaskContent(
        stack.geometry,
        structures=tuple(structures),
        provenance=provenance,
        warnings=tuple(warnings),
    )


def _coded_livers(data: Dataset) -> Iterator[int]:
    """Numbers of the regions whose code is that of the liver."""
    for item in data.get("RTROIObservationsSequence") or []:
        codes = item.get("RTROIIdentificationCodeSequence") or []
        number = item.get("ReferencedROINumber")
        if number is not None and any(str(each.get("CodeValue")) in _LIVER_CODES for each in codes):
            yield int(number)


def _contours(item: Dataset) -> tuple[list[Points], int]:
    """Points [point, (x, y, z)] of each closed contour once, and the number of other ones."""
    closed: dict[bytes, Points] = {}
    others = 0
    for contour in item.get("ContourSequence") or []:
        check_present(contour, "ContourGeometricType")
        if contour.ContourGeometricType not in _CLOSED:
            others += 1
            continue
        values = required(contour, "ContourData")
        points = required_numbers(contour, "ContourData", 3 * (len(values) // 3)).reshape(-1, 3)
        closed[points.tobytes()] = points  # the same one twice would cancel out
    return list(closed.values()), others


def _filled(contours: list[Points], stack: ImageStack) -> tuple[Bits, int]:
    """The voxels inside contours, and the number of images without any between the first and the last one."""
    bits = np.zeros(stack.shape, bool)
    planes: dict[int, set[int]] = {}
    for points in contours:
        index = stack.index_of(points)
        axis, plane = _plane(index, stack)
        ring = np.delete(index, axis, axis=1)
        image = np.moveaxis(bits, axis, 0)[plane]
        image ^= filled(ring, (image.shape[0], image.shape[1]))
        planes.setdefault(axis, set()).add(plane)
    gaps = sum(max(each) - min(each) + 1 - len(each) for each in planes.values())
    return bits, gaps


def _plane(index: Points, stack: ImageStack) -> tuple[int, int]:
    """The axis that is perpendicular to a contour, and the number of its plane along it."""
    steps_mm = np.linalg.norm(stack.axes_mm, axis=0)
    axis = int((np.ptp(index, axis=0) * steps_mm).argmin())
    plane = int(np.rint(np.median(index[:, axis])))
    away_mm = float(np.abs(index[:, axis] - plane).max() * steps_mm[axis])
    tolerance_mm = max(GRID_TOLERANCE_MM, _OFF_PLANE * stack.geometry.spacing_mm[axis])
    if away_mm > tolerance_mm or not 0 <= plane < stack.shape[axis]:
        raise GridError(
            f"a contour lies outside the images of the scan (up to {away_mm:.2g} mm away from the nearest); expected "
            "contours in the planes of its images. Pass the series on which they were drawn."
        )
    return axis, plane
