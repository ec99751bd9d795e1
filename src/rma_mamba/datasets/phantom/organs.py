"""The organs of a phantom, in the order in which they are painted."""

from __future__ import annotations

import numpy as np

from rma_mamba.datasets.phantom.canvas import Canvas
from rma_mamba.datasets.phantom.tissues import Tissue

_WALL = 1.06  # of the radii: beyond, the field of an ellipsoid is above 1.1


def draw_trunk(canvas: Canvas, random: np.random.Generator) -> None:
    """Skin, fat, muscle, spine and abdominal cavity."""
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


def draw_chest(canvas: Canvas, random: np.random.Generator) -> None:
    """Diaphragm, lungs, heart and ribs."""
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
    # ribs: bars across the wall, sloping down anteriorly
    wall = (canvas.tissue == Tissue.MUSCLE) & (
        canvas.column((0, 5), (139, canvas.deep - 26), 2.5) > 0.93
    )
    slope = np.mod(canvas.z - 0.35 * y + 500, 27) < 8
    canvas.paint(wall & slope & (canvas.z > -35) & (np.abs(x) > 25), Tissue.BONE)
    canvas.cavity &= ~above & (canvas.z < canvas.dome + 3)


def draw_liver(canvas: Canvas, random: np.random.Generator) -> None:
    """The liver without vessels."""
    size, lobe = canvas.build.liver, canvas.build.left_lobe
    x, y, z = canvas.x, canvas.y, canvas.z
    right = canvas.ellipsoid((72, -2, 8), (82 * size, 88 * size, 92 * size), 2.3)
    left = canvas.ellipsoid((-18, 44, 34), (78 * lobe, 36 * lobe, 34 * lobe), 2.0, tilt=6)
    bridge = canvas.ellipsoid((14, 30, 34), (52, 46, 36), 2.2)
    # the visceral surface rises from right to left, and is concave towards the midline
    floor = -74 * size + 0.62 * np.maximum(0, 112 - x) - 0.12 * (y - 10)
    hollow = canvas.ellipsoid((8, -12, -22), (54, 50, 52))
    region = ((right < 1) & (z > floor) & (hollow > 1)) | (left < 1) | (bridge < 1)
    # fissure of the round ligament, between the lobes from anterior
    region &= (canvas.column((-4, 70), (4.5, 30)) > 1) | (z > 46)
    region &= canvas.cavity & (z < canvas.dome - 2)
    region &= canvas.column((0, canvas.spine_y + 6), (44, 38)) > 1
    if canvas.liver_shape is not None:
        lung = canvas.tissue == Tissue.LUNG  # the liver of a patient shapes the diaphragm
        region = canvas.liver_shape(canvas, region) & (canvas.cavity | lung)
        canvas.cavity |= region
    canvas.paint(region, Tissue.LIVER)


def draw_upper_organs(canvas: Canvas, random: np.random.Generator) -> None:
    """Stomach, spleen, pancreas and gallbladder."""
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


def draw_kidneys(canvas: Canvas, random: np.random.Generator) -> None:
    """Kidneys with cortex, medulla and sinus."""
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


def draw_bowel(canvas: Canvas, random: np.random.Generator) -> None:
    """Small bowel and colon."""
    free = canvas.cavity & (canvas.tissue == Tissue.FAT) & (canvas.z < 10)
    for _ in range(75):
        centre = (random.uniform(-115, 110), random.uniform(-25, 75), random.uniform(-125, -25))
        radii = (random.uniform(12, 28), random.uniform(11, 19), random.uniform(12, 28))
        widest = _WALL * max(radii[:2])  # whatever the tilt
        box = canvas.around(centre, (widest, widest, _WALL * radii[2]))
        loop = canvas.ellipsoid(centre, radii, tilt=random.uniform(0, 180), box=box)
        region = (loop < 1) & free[box]
        free[box] &= loop > 1.1
        tissue = canvas.tissue[box]
        tissue[region] = Tissue.BOWEL
        content = (Tissue.STOMACH, Tissue.BOWEL, Tissue.FLUID, Tissue.GAS)[random.integers(4)]
        tissue[region & (loop < 0.62)] = content
    for side in (-1, 1):  # ascending and descending colon
        colon = canvas.column((side * 112, -12), (19, 19))
        region = (colon < 1) & (canvas.z < -58 - 6 * side) & canvas.cavity
        region &= canvas.tissue != Tissue.LIVER
        canvas.paint(region, Tissue.BOWEL)
        canvas.paint(region & (colon < 0.7), Tissue.STOMACH)
        canvas.paint(region & (colon < 0.7) & (canvas.y > -8), Tissue.GAS)


def draw_vessels(canvas: Canvas, random: np.random.Generator) -> None:
    """Aorta and inferior vena cava."""
    y = canvas.spine_y
    canvas.paint(canvas.column((-13, y + 27), (13, 13)) < 1, Tissue.FAT)
    canvas.paint(canvas.column((-13, y + 27), (10.5, 10.5)) < 1, Tissue.BLOOD)
    below = canvas.z < canvas.dome + 12
    canvas.paint((canvas.column((19, y + 32), (12, 9.5)) < 1) & below, Tissue.BLOOD)
