"""Planes of a scan with the contour of the liver, as shown on a radiology workstation.

Planes are taken from the canonical array (inferior to superior, anterior to posterior, right to left), so every image
follows the radiological convention (the patient's right on the left), whatever the axis order of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from rma_mamba.conventions import ABDOMEN_WINDOW_HU, LIVER, LIVER_RGB
from rma_mamba.volume import Mask

if TYPE_CHECKING:
    from rma_mamba.slicing import CalibratedVolume

Plane = npt.NDArray[Any]  # [row, column]
Box = tuple[slice, slice]  # rows, columns

_SUPERSAMPLING = (
    3  # contours are drawn at this multiple of the resolution and then reduced, for smooth edges
)
_BODY = 24  # grey level; the air around the patient is darker
_TABLE_PX = 5  # anything thinner is not the patient
_MIN_SHARE = 0.05  # of a row or column that the patient must fill
_MARGIN_MM = 12.0
_INNER_RGB = (144, 238, 144)  # of "Mass" in the terminology of 3D Slicer
_TINT = 0.13  # opacity of the colour inside the contour


@dataclass(frozen=True, eq=False)
class DisplayedScan:
    """A scan and its mask in canonical order, with the display window."""

    volume: CalibratedVolume
    mask: Mask

    @cached_property
    def values(self) -> npt.NDArray[Any]:
        """Intensities [inferior to superior, anterior to posterior, right to left]; a view."""
        return self.volume.geometry.canonical.apply(self.volume.values)

    @cached_property
    def labels(self) -> npt.NDArray[Any]:
        """Labels in the order of `values`."""
        return self.volume.geometry.canonical.apply(self.mask.labels) > 0

    @cached_property
    def inner_labels(self) -> npt.NDArray[Any] | None:
        """Classes other than the liver, such as tumours, in the order of `values`; None for the liver alone."""
        classes = self.mask.classes
        if classes is None:
            return None
        others = [name for name in classes.scheme.names if name != LIVER]
        values = np.isin(classes.values, classes.scheme.values_of(*others))
        return self.volume.geometry.canonical.apply(values)

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size in the order of `values`, in mm."""
        geometry = self.volume.geometry
        slice_mm, row_mm, column_mm = (
            geometry.spacing_mm[axis] for axis in geometry.canonical.permutation
        )
        return slice_mm, row_mm, column_mm

    @cached_property
    def window(self) -> tuple[float, float]:
        """The intensities displayed as black and white: the abdomen window for HU, else percentiles."""
        if self.volume.intensity_unit == "HU":
            return ABDOMEN_WINDOW_HU
        steps = tuple(slice(None, None, max(1, size // 128)) for size in self.values.shape)
        sample = self.values[steps].astype(np.float64)
        sample = sample[np.isfinite(sample)]
        if not sample.size:
            return 0.0, 1.0
        body = sample[sample > sample.mean() / 2]
        low = float(np.percentile(sample, 1))
        high = float(np.percentile(body if body.size else sample, 99.5))
        return low, max(high, low + 1e-6)

    def grey(self, plane: Plane) -> npt.NDArray[np.uint8]:
        """Convert intensities to grey levels 0..255 in the window."""
        low, high = self.window
        scaled = (np.nan_to_num(plane.astype(np.float64), nan=low) - low) / (high - low)
        return np.asarray(np.clip(scaled, 0, 1) * 255, dtype=np.uint8)

    @cached_property
    def body(self) -> Box:
        """Rows and columns of an axial plane that show the patient, with a margin; all if none is visible."""
        from scipy import ndimage

        planes = self.values[:: max(1, len(self.values) // 24)]
        brightest = np.max([self.grey(plane) for plane in planes], axis=0)
        # A minimum filter keeps the body and removes the table, wires and noise.
        body = ndimage.minimum_filter(brightest > _BODY, _TABLE_PX, mode="nearest")
        body |= self.labels.any(axis=0)
        _, row_mm, column_mm = self.spacing_mm
        return (
            _extent(body.mean(axis=1) > _MIN_SHARE, _MARGIN_MM / row_mm),
            _extent(body.mean(axis=0) > _MIN_SHARE, _MARGIN_MM / column_mm),
        )


def draw_plane(
    grey: npt.NDArray[np.uint8],
    labels: Plane,
    size: tuple[int, int],
    supersampling: int = _SUPERSAMPLING,
    inner: Plane | None = None,
) -> Image.Image:
    """Draw a plane in grey levels, resampled to `size` (width, height) in pixels, with the contour of the liver.

    The contour is four pixels of the supersampled image wide. `inner`, such as tumours, has one of another colour.
    """
    base = Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    drawn = _with_contour(base, labels, LIVER_RGB, supersampling)
    return drawn if inner is None else _with_contour(drawn, inner, _INNER_RGB, supersampling)


def _with_contour(
    base: Image.Image, labels: Plane, rgb: tuple[int, int, int], supersampling: int
) -> Image.Image:
    from scipy import ndimage

    size = base.size
    fine = (size[0] * supersampling, size[1] * supersampling)
    inside = Image.fromarray(labels.astype(np.uint8) * 255).resize(fine, Image.Resampling.BILINEAR)
    inside = inside.point([0] * 128 + [255] * 128)
    # SciPy filters rows and then columns, which is ten times as fast as the rank filters of Pillow.
    filled = np.asarray(inside)
    outer = ndimage.maximum_filter(filled, 3, mode="nearest")
    line = Image.fromarray(outer - ndimage.minimum_filter(filled, 7, mode="nearest"))
    colour = Image.new("RGB", size, rgb)
    tint = inside.reduce(supersampling).point([round(_TINT * level) for level in range(256)])
    return Image.composite(colour, Image.composite(colour, base, tint), line.reduce(supersampling))


def _extent(found: npt.NDArray[np.bool_], margin: float) -> slice:
    """From the first to the last True, extended by `margin` on both sides; everything if none is True."""
    where = np.flatnonzero(found)
    if not where.size:
        return slice(0, len(found))
    wider = round(margin)
    return slice(max(0, int(where[0]) - wider), min(len(found), int(where[-1]) + 1 + wider))
