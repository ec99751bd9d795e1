"""The interior of the liver: vessels, lesions, and the fluid around it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rma_mamba.datasets.phantom.canvas import Box, Canvas, Point, Region
from rma_mamba.datasets.phantom.tissues import LIVER_TISSUES, Tissue


def draw_liver_interior(canvas: Canvas, random: np.random.Generator) -> None:
    """Vessels and lesions of the liver, and ascites."""
    liver = canvas.tissue == Tissue.LIVER
    if not liver.any():
        return
    _ascites(canvas, liver)
    box: Box = ndimage.find_objects(liver.astype(np.uint8))[0]
    hilum = (24.0, 16.0, 8.0)
    cava = (20.0, canvas.spine_y + 36, 52.0)
    portal = [(88, 22, 2), (92, -28, 6), (70, -22, 40), (80, 40, 34), (-24, 46, 36), (48, 30, -16)]
    hepatic = [(104, 6, 34), (70, 46, 40), (-14, 44, 46), (84, -40, 22)]
    for start, ends, width in ((hilum, portal, 6.5), (cava, hepatic, 5.5)):
        for end in ends:
            shifted = tuple(np.add(end, random.normal(0, 7, 3)).tolist())
            vessel = liver[box] & _tube(canvas, start, shifted, width, box)
            canvas.tissue[box][vessel] = Tissue.LIVER_VESSEL
    inside = np.argwhere(liver)
    for _ in range(canvas.build.lesions):
        place = tuple(inside[random.integers(len(inside))])
        centre = float(canvas.x[place]), float(canvas.y[place]), float(canvas.z[place])
        radius = random.uniform(5, 26)
        radii = radius, radius * random.uniform(0.7, 1.3), radius * random.uniform(0.7, 1.3)
        canvas.paint(liver & (canvas.ellipsoid(centre, radii) < 1), Tissue.LESION)


def _ascites(canvas: Canvas, liver: Region) -> None:
    """Ascites between the liver and the abdominal wall, and around the organs."""
    if canvas.build.ascites == 0:
        return
    near = ndimage.gaussian_filter(liver.astype(np.float32), (6, 6, 1.5)) > 0.02
    lateral = canvas.column((0, 8), (120, canvas.deep - 40), 2.4) > 0.8
    deep_enough = canvas.z < canvas.dome - 1
    region = canvas.cavity & (canvas.tissue == Tissue.FAT) & deep_enough & (near | lateral)
    canvas.paint(region, Tissue.FLUID)


def _tube(canvas: Canvas, start: Point, end: Point, width: float, box: Box) -> Region:
    """Voxels of a straight vessel that tapers from `width` to a third of it; in a part of the grid."""
    way = np.subtract(end, start)
    x, y, z = canvas.x[box] - start[0], canvas.y[box] - start[1], canvas.z[box] - start[2]
    along = np.clip((x * way[0] + y * way[1] + z * way[2]) / float(way @ way), 0, 1)
    distance = (x - along * way[0]) ** 2 + (y - along * way[1]) ** 2 + (z - along * way[2]) ** 2
    region: Region = distance < (width * (1 - 0.67 * along)) ** 2
    return region


def keep_one_liver(tissue: npt.NDArray[np.uint8]) -> None:
    """Turn fragments of the liver that other organs have cut off into fat."""
    components, count = ndimage.label(np.isin(tissue, LIVER_TISSUES))
    if count > 1:
        sizes = np.bincount(components.ravel())
        sizes[0] = 0
        tissue[(components > 0) & (components != sizes.argmax())] = Tissue.FAT
