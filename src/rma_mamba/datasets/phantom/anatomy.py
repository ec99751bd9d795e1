"""The shapes of the synthetic abdomen: smooth bodies in mm (x right, y front, z head), gently deformed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Grid = npt.NDArray[np.float32]
Region = npt.NDArray[np.bool_]
Point = tuple[float, float, float]


class Tissue(IntEnum):
    """What a voxel is made of."""

    AIR = 0
    FAT = 1
    MUSCLE = 2
    BONE = 3
    MARROW = 4
    FLUID = 5
    LUNG = 6
    LIVER = 7
    LIVER_VESSEL = 8
    LESION = 9
    SPLEEN = 10
    CORTEX = 11
    MEDULLA = 12
    STOMACH = 13
    GAS = 14
    BOWEL = 15
    BLOOD = 16
    PANCREAS = 17


TISSUES = tuple(Tissue)
_LIVER = (Tissue.LIVER, Tissue.LIVER_VESSEL, Tissue.LESION)


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Tissues on a grid.

    Args:
        tissue: uint8 [x, y, z], numbers of `Tissue`.
        liver: uint8, 1 where the liver is, with its vessels and lesions.
    """

    tissue: npt.NDArray[np.uint8] = field(repr=False)
    liver: npt.NDArray[np.uint8] = field(repr=False)


@dataclass(frozen=True)
class _Build:
    """The build of a patient, in mm and as factors."""

    wide: float  # half the width of the body
    deep: float  # half its depth
    fat: float  # thickness under the skin
    liver: float
    left_lobe: float
    spleen: float
    lift: float  # of all organs against the grid, to the head
    ascites: float
    lesions: int

    @classmethod
    def drawn(cls, random: np.random.Generator, randomise: bool) -> _Build:
        if not randomise:
            scale = random.uniform(0.96, 1.06)
            wide, deep = 163 * scale, 112 * scale * random.uniform(0.96, 1.04)
            liver, lobe, spleen = random.uniform(0.96, 1.04, 3).tolist()
            fat, lift = random.uniform(12, 20), random.uniform(-6, 6)
            return cls(wide, deep, fat, liver, lobe, spleen, lift, 0, 0)
        scale = random.uniform(0.85, 1.15)
        wide, deep = 163 * scale, 112 * scale * random.uniform(0.9, 1.15)
        return cls(
            wide,
            deep,
            random.uniform(6, 32),
            random.uniform(0.8, 1.15),
            random.uniform(0.75, 1.25),
            random.uniform(0.8, 1.5),
            random.uniform(-35, 35),
            random.uniform(6, 25) if random.random() < 0.25 else 0,
            int(random.integers(1, 8)) if random.random() < 0.4 else 0,
        )


def draw_anatomy(
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    random: np.random.Generator,
    *,
    randomise: bool,
) -> Anatomy:
    """A patient centred on the grid."""
    canvas = _Canvas(shape, spacing_mm, _Build.drawn(random, randomise), random)
    for draw in (_trunk, _chest, _liver, _upper_organs, _kidneys, _bowel, _vessels, _inside_liver):
        draw(canvas, random)
    tissue = canvas.tissue
    _one_liver(tissue)
    return Anatomy(tissue, np.isin(tissue, _LIVER).astype(np.uint8))


class _Canvas:
    """Deformed coordinates and the tissues painted so far."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        build: _Build,
        random: np.random.Generator,
    ) -> None:
        axes = [
            ((np.arange(size) - (size - 1) / 2) * mm).astype(np.float32)
            for size, mm in zip(shape, spacing_mm, strict=True)
        ]
        # organs scale with the body; the grid, being in mm, does not
        scale = np.float32(build.wide / 163)
        x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
        self.x, self.y, self.z = (
            (axis + wobble) / scale
            for axis, wobble in zip(
                (x, y, z - np.float32(build.lift)),
                (_wobble(shape, spacing_mm, random) for _ in range(3)),
                strict=True,
            )
        )
        self.build = build
        self.deep = build.deep / float(scale)
        self.tissue = np.zeros(shape, np.uint8)
        self.spine_y = -0.46 * self.deep
        self.cavity: Region = np.zeros(shape, bool)
        self.dome: Grid = self.z

    def ellipsoid(self, centre: Point, radii: Point, power: float = 2.0, tilt: float = 0) -> Grid:
        """A field that is below 1 inside; `tilt` degrees from x to y."""
        c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
        x, y = self.x - centre[0], self.y - centre[1]
        parts = (
            (c * x + s * y) / radii[0],
            (c * y - s * x) / radii[1],
            (self.z - centre[2]) / radii[2],
        )
        x, y, z = (np.abs(part) ** power for part in parts)
        field: Grid = x + y + z
        return field

    def column(
        self, centre: tuple[float, float], radii: tuple[float, float], power: float = 2.0
    ) -> Grid:
        """A field that is below 1 inside a column along z."""
        x, y = (self.x - centre[0]) / radii[0], (self.y - centre[1]) / radii[1]
        field: Grid = np.abs(x) ** power + np.abs(y) ** power
        return field

    def paint(self, region: Region, tissue: Tissue) -> None:
        self.tissue[region] = tissue

    def paint_inside(self, region: Region, tissue: Tissue) -> None:
        """Paint where the abdominal cavity is."""
        self.tissue[region & self.cavity] = tissue


def _wobble(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], random: np.random.Generator
) -> Grid:
    """A smooth random displacement of a few mm."""
    coarse = random.normal(
        size=[max(2, round(n * mm / 48)) for n, mm in zip(shape, spacing_mm, strict=True)]
    )
    zoom = [n / c for n, c in zip(shape, coarse.shape, strict=True)]
    smooth = ndimage.zoom(coarse.astype(np.float32), zoom, order=2, mode="nearest", grid_mode=True)
    wobble: Grid = np.float32(3.5) * smooth[: shape[0], : shape[1], : shape[2]]
    return wobble


def _trunk(canvas: _Canvas, random: np.random.Generator) -> None:
    wide, deep = 163.0, canvas.deep
    fat = canvas.build.fat
    canvas.paint(canvas.column((0, 0), (wide, deep), 2.5) < 1, Tissue.FAT)
    canvas.paint(canvas.column((0, 2), (wide - fat, deep - fat), 2.5) < 1, Tissue.MUSCLE)
    canvas.cavity = canvas.column((0, 8), (wide - fat - 13, deep - fat - 16), 2.4) < 1
    canvas.cavity &= canvas.column((0, canvas.spine_y - 22), (58, 38)) > 1
    canvas.paint(canvas.cavity, Tissue.FAT)
    y = canvas.spine_y
    canvas.paint(canvas.column((0, y - 4), (27, 24)) < 1, Tissue.MUSCLE)
    disc = np.abs(np.mod(canvas.z + 500, 34) - 17) < 4
    body = canvas.column((0, y), (22, 17), 2.6)
    canvas.paint(body < 1, Tissue.BONE)
    canvas.paint((body < 0.75) & ~disc, Tissue.MARROW)
    canvas.paint((body < 1) & disc, Tissue.MUSCLE)
    canvas.paint(canvas.column((0, y - 26), (15, 13)) < 1, Tissue.BONE)
    canvas.paint(canvas.column((0, y - 25), (9, 8)) < 1, Tissue.FLUID)
    canvas.paint(canvas.column((0, y - 46), (3.5, 13)) < 1, Tissue.BONE)
    for side in (-1, 1):
        canvas.paint(canvas.column((side * 27, y - 24), (15, 3.5)) < 1, Tissue.BONE)
        psoas = (canvas.column((side * 38, y - 2), (18, 16)) < 1) & (canvas.z < -10)
        canvas.paint(psoas, Tissue.MUSCLE)


def _chest(canvas: _Canvas, random: np.random.Generator) -> None:
    x, y = canvas.x, canvas.y
    right = 78 - 62 * ((x - 68) / 88) ** 2 - 75 * ((y + 2) / 82) ** 2
    left = 66 - 60 * ((x + 78) / 75) ** 2 - 75 * ((y + 5) / 82) ** 2
    middle = 52 - 40 * (np.abs(x) / 60) ** 2 - 55 * ((y - 8) / 80) ** 2
    canvas.dome = np.maximum(np.maximum(right, left), middle)
    above = canvas.cavity & (canvas.z > canvas.dome + 3)
    canvas.paint(above, Tissue.LUNG)
    heart = canvas.ellipsoid((-22, 22, 98), (58, 46, 46), tilt=-25)
    canvas.paint(above & (heart < 1.25), Tissue.FAT)
    canvas.paint(above & (heart < 1), Tissue.MUSCLE)
    canvas.paint(
        above & (canvas.ellipsoid((-30, 18, 98), (34, 28, 32), tilt=-25) < 1), Tissue.BLOOD
    )
    canvas.paint(above & (canvas.ellipsoid((8, 26, 104), (26, 26, 32)) < 1), Tissue.BLOOD)
    # ribs: bars across the wall, sloping down to the front
    wall = (canvas.tissue == Tissue.MUSCLE) & (
        canvas.column((0, 5), (139, canvas.deep - 26), 2.5) > 0.93
    )
    slope = np.mod(canvas.z - 0.35 * y + 500, 27) < 8
    canvas.paint(wall & slope & (canvas.z > -35) & (np.abs(x) > 25), Tissue.BONE)
    canvas.cavity &= ~above & (canvas.z < canvas.dome + 3)


def _liver(canvas: _Canvas, random: np.random.Generator) -> None:
    size, lobe = canvas.build.liver, canvas.build.left_lobe
    x, y, z = canvas.x, canvas.y, canvas.z
    right = canvas.ellipsoid((72, -2, 8), (82 * size, 88 * size, 92 * size), 2.3)
    left = canvas.ellipsoid((-18, 44, 34), (78 * lobe, 36 * lobe, 34 * lobe), 2.0, tilt=6)
    bridge = canvas.ellipsoid((14, 30, 34), (52, 46, 36), 2.2)
    # the visceral surface rises from the right flank to the left, and is hollow towards the middle
    floor = -74 * size + 0.62 * np.maximum(0, 112 - x) - 0.12 * (y - 10)
    hollow = canvas.ellipsoid((8, -12, -22), (54, 50, 52))
    region = ((right < 1) & (z > floor) & (hollow > 1)) | (left < 1) | (bridge < 1)
    # fissure of the round ligament, from the front between the lobes
    region &= (canvas.column((-4, 70), (4.5, 30)) > 1) | (z > 46)
    region &= canvas.cavity & (z < canvas.dome - 2)
    region &= canvas.column((0, canvas.spine_y + 6), (44, 38)) > 1
    canvas.paint(region, Tissue.LIVER)


def _upper_organs(canvas: _Canvas, random: np.random.Generator) -> None:
    below = canvas.z < canvas.dome - 3
    liver = canvas.tissue == Tissue.LIVER
    size = canvas.build.spleen
    stomach = canvas.ellipsoid((-70, 12, 22), (40, 48, 44), 2.2, tilt=20)
    antrum = canvas.ellipsoid((-28, 46, -18), (46, 24, 22), 2.0, tilt=-10)
    inner = np.minimum(stomach, antrum)
    gas = canvas.y > random.uniform(30, 48)
    for region, tissue in (
        (inner < 1.25, Tissue.MUSCLE),
        ((inner < 1) & gas, Tissue.GAS),
        ((inner < 1) & ~gas, Tissue.STOMACH),
    ):
        canvas.paint_inside(region & below & ~liver, tissue)
    spleen = canvas.ellipsoid((-108, -36, 26), (28 * size, 52 * size, 50 * size), 2.2, tilt=28)
    canvas.paint_inside((spleen < 1) & below & ~liver, Tissue.SPLEEN)
    pancreas = canvas.ellipsoid((-22, 10 - 0.0, -8), (72, 13, 13), 2.0, tilt=-18)
    head = canvas.ellipsoid((30, 22, -22), (20, 18, 22))
    found = (np.minimum(pancreas, head) < 1) & ~liver & (canvas.tissue != Tissue.SPLEEN)
    canvas.paint_inside(found, Tissue.PANCREAS)
    bladder = canvas.ellipsoid((52, 46, -26), (15, 24, 26), tilt=20)
    canvas.paint_inside(bladder < 1.35, Tissue.MUSCLE)
    canvas.paint_inside(bladder < 1, Tissue.FLUID)


def _kidneys(canvas: _Canvas, random: np.random.Generator) -> None:
    for side, level in ((1, -42), (-1, -26)):
        centre = (side * 66.0, canvas.spine_y + 14.0, level + random.uniform(-8, 8))
        tilt = side * 35.0
        around = canvas.ellipsoid(centre, (42, 38, 64), tilt=tilt)
        soft = canvas.tissue != Tissue.SPLEEN
        canvas.paint_inside((around < 1) & soft, Tissue.FAT)
        kidney = canvas.ellipsoid(centre, (31, 25, 52), 2.2, tilt=tilt)
        sinus = canvas.ellipsoid((centre[0] - side * 14, centre[1] + 4, centre[2]), (15, 10, 26))
        region = canvas.cavity | (canvas.column((centre[0], centre[1]), (46, 40)) < 1)
        canvas.tissue[(kidney < 1) & region] = Tissue.CORTEX
        canvas.tissue[(kidney < 0.55) & region] = Tissue.MEDULLA
        canvas.tissue[(sinus < 1) & region] = Tissue.FAT
        canvas.tissue[(sinus < 0.35) & region] = Tissue.FLUID


def _bowel(canvas: _Canvas, random: np.random.Generator) -> None:
    free = canvas.cavity & (canvas.tissue == Tissue.FAT) & (canvas.z < 10)
    for _ in range(75):
        centre = (random.uniform(-115, 110), random.uniform(-25, 75), random.uniform(-125, -25))
        radii = (random.uniform(12, 28), random.uniform(11, 19), random.uniform(12, 28))
        loop = canvas.ellipsoid(centre, radii, tilt=random.uniform(0, 180))
        region = (loop < 1) & free
        free &= loop > 1.1
        canvas.paint(region, Tissue.BOWEL)
        content = (Tissue.STOMACH, Tissue.BOWEL, Tissue.FLUID, Tissue.GAS)[random.integers(4)]
        canvas.paint(region & (loop < 0.62), content)
    for side in (-1, 1):  # ascending and descending colon
        colon = canvas.column((side * 112, -12), (19, 19))
        region = (colon < 1) & (canvas.z < -58 - 6 * side) & canvas.cavity
        region &= canvas.tissue != Tissue.LIVER
        canvas.paint(region, Tissue.BOWEL)
        canvas.paint(region & (colon < 0.7), Tissue.STOMACH)
        canvas.paint(region & (colon < 0.7) & (canvas.y > -8), Tissue.GAS)


def _vessels(canvas: _Canvas, random: np.random.Generator) -> None:
    y = canvas.spine_y
    canvas.paint(canvas.column((-13, y + 27), (13, 13)) < 1, Tissue.FAT)
    canvas.paint(canvas.column((-13, y + 27), (10.5, 10.5)) < 1, Tissue.BLOOD)
    below = canvas.z < canvas.dome + 12
    canvas.paint((canvas.column((19, y + 32), (12, 9.5)) < 1) & below, Tissue.BLOOD)


def _inside_liver(canvas: _Canvas, random: np.random.Generator) -> None:
    liver = canvas.tissue == Tissue.LIVER
    if not liver.any():
        return
    _ascites(canvas, liver)
    hilum = (24.0, 16.0, 8.0)
    cava = (20.0, canvas.spine_y + 36, 52.0)
    portal = [(88, 22, 2), (92, -28, 6), (70, -22, 40), (80, 40, 34), (-24, 46, 36), (48, 30, -16)]
    hepatic = [(104, 6, 34), (70, 46, 40), (-14, 44, 46), (84, -40, 22)]
    for start, ends, width in ((hilum, portal, 6.5), (cava, hepatic, 5.5)):
        for end in ends:
            shifted = tuple(np.add(end, random.normal(0, 7, 3)).tolist())
            canvas.paint(liver & _tube(canvas, start, shifted, width), Tissue.LIVER_VESSEL)
    inside = np.argwhere(liver)
    for _ in range(canvas.build.lesions):
        place = tuple(inside[random.integers(len(inside))])
        centre = float(canvas.x[place]), float(canvas.y[place]), float(canvas.z[place])
        radius = random.uniform(5, 26)
        radii = radius, radius * random.uniform(0.7, 1.3), radius * random.uniform(0.7, 1.3)
        canvas.paint(liver & (canvas.ellipsoid(centre, radii) < 1), Tissue.LESION)


def _ascites(canvas: _Canvas, liver: Region) -> None:
    """Fluid between the liver and the wall, and around the organs."""
    if canvas.build.ascites == 0:
        return
    near = ndimage.gaussian_filter(liver.astype(np.float32), (6, 6, 1.5)) > 0.02
    lateral = canvas.column((0, 8), (120, canvas.deep - 40), 2.4) > 0.8
    deep_enough = canvas.z < canvas.dome - 1
    region = canvas.cavity & (canvas.tissue == Tissue.FAT) & deep_enough & (near | lateral)
    canvas.paint(region, Tissue.FLUID)


def _tube(canvas: _Canvas, start: Point, end: Point, width: float) -> Region:
    """Points near a straight vessel that tapers from `width` to a third of it."""
    way = np.subtract(end, start)
    x, y, z = canvas.x - start[0], canvas.y - start[1], canvas.z - start[2]
    along = np.clip((x * way[0] + y * way[1] + z * way[2]) / float(way @ way), 0, 1)
    distance = (x - along * way[0]) ** 2 + (y - along * way[1]) ** 2 + (z - along * way[2]) ** 2
    region: Region = distance < (width * (1 - 0.67 * along)) ** 2
    return region


def _one_liver(tissue: npt.NDArray[np.uint8]) -> None:
    """Crumbs that other organs cut off the liver become fat."""
    components, count = ndimage.label(np.isin(tissue, _LIVER))
    if count > 1:
        sizes = np.bincount(components.ravel())
        sizes[0] = 0
        tissue[(components > 0) & (components != sizes.argmax())] = Tissue.FAT
