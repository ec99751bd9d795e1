"""Test vectors of the web page: what the Python package computes, which the JavaScript of the page must compute too.

`python tests/support/web_vectors.py` writes the table again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from rma_mamba.exporting.web_page import web_recipe
from rma_mamba.inference import implausible_hu
from rma_mamba.inference.batches import plan_batches
from rma_mamba.inference.dark_slices import remove_dark_ends
from rma_mamba.inference.postprocess import remove_islands
from rma_mamba.scans.dtypes import compact_values
from rma_mamba.slicing import SliceRecipe, SliceStack, calibrated
from rma_mamba.slicing.grid import AxisResampler
from rma_mamba.volume import Geometry, Volume

TABLE = Path(__file__).parents[1] / "exporting" / "web_vectors.json"
PART = (slice(8, 24), slice(10, 22))  # rows and columns of the canvas in the table

RECIPE = SliceRecipe(
    size=32,
    spacing_mm=5.0,
    tta_scales=(1.0, 1.11, 0.91),
    neighbours=True,
    ct_window_hu=(-125, 275),
    mr_headroom=0.5,
    modality_plane=True,
    through_plane_mm=5.0,
    threshold=0.4,
)
RECIPES = {
    "whole-scan": RECIPE,
    "slices": SliceRecipe(size=64, spacing_mm=None),
    "ct": SliceRecipe(size=32, spacing_mm=6.0, neighbours=True),
}


def rotated(degrees: float, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Affine of a grid that is rotated about the first axis."""
    turn = np.deg2rad(degrees)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    affine[:3, :3] *= spacing_mm
    return affine


def affines() -> list[np.ndarray]:
    """Orders and directions of axes, oblique ones, and one at 45 degrees."""
    coronal = np.array([[-2, 0, 0, 90], [0, 0, 7, -60], [0, -2, 0, 40], [0, 0, 0, 1.0]])
    sagittal = np.array([[0, 0, -4, 5], [1.5, 0, 0, 0], [0, 1.5, 0, 0], [0, 0, 0, 1.0]])
    straight = [np.diag([*signs, 1.0]) for signs in ([3, 3, 5], [-3, 3, 5], [-3, -3, -5])]
    return [
        *straight,
        coronal,
        sagittal,
        rotated(20, (2, 3, 6)),
        rotated(45, (2, 2, 2)),
        rotated(130, (1, 2, 3)),
    ]


def scans() -> list[tuple[str, np.ndarray, np.ndarray]]:
    """A recipe, values and an affine for each: MR, CT, CT without intercept, constant, real numbers."""
    generator = np.random.default_rng(5)
    shape = (20, 18, 6)
    mr = np.where(generator.random(shape) < 0.4, 3, generator.integers(80, 900, shape))
    ct = np.where(generator.random(shape) < 0.3, -1000, generator.integers(-140, 240, shape))
    ct[:4] = np.where(generator.random((4, *shape[1:])) < 0.05, 700, ct[:4])
    grids = affines()
    return [
        ("whole-scan", mr.astype(np.int16), grids[0]),
        ("whole-scan", ct.astype(np.int16), grids[3]),
        ("ct", (ct + 1024).astype(np.int16), grids[1]),
        ("ct", (mr % 256).astype(np.uint8), grids[2]),
        ("slices", generator.random(shape, np.float32), grids[4]),
        ("whole-scan", (mr * 0.37).astype(np.float32), rotated(20, (4, 4, 2))),
        ("whole-scan", np.full(shape, 7, np.int16), grids[0]),
    ]


def make() -> dict[str, Any]:
    """The table."""
    return {
        "recipes": {name: web_recipe(recipe) for name, recipe in RECIPES.items()},
        "part": [[part.start, part.stop] for part in PART],
        "orders": [_order(affine) for affine in affines()],
        "resamplers": [_resampler(*case) for case in _LENGTHS],
        "compact": [_compact(*case) for case in _STORED],
        "scans": [_scan(*case) for case in scans()],
        "batches": [_batches(*case) for case in ((36, 3.0), (200, 5.0), (90, 1.0), (3, 8.0))],
        "islands": [_islands(seed) for seed in range(4)],
        "implausible": [
            _implausible(number, affine)
            for number, affine in enumerate([*affines(), np.diag([-0.8, -0.8, 3, 1])])
        ],
        "dark_ends": [_dark_ends(number, affine) for number, affine in enumerate(affines())],
    }


_LENGTHS = (
    (20, 3.0, 12, 5.0),
    (16, 5.0, 30, 2.5),
    (24, 2.0, 24, 2.0),
    (33, 1.37, 23, 2.0),
    (1, 2.0, 3, 1.0),
)
_STORED = (
    ([0, 5, 200], "uint8", 1.0, 0.0),
    ([0, 5, 200], "uint8", 2.0, -10.0),
    ([-5, 40, 1000], "int16", 1.0, 0.0),
    ([0, 40000, 65535], "uint16", 1.0, 0.0),
    ([0, 4000, 30000], "uint16", 1.0, -1024.0),
    ([1, 2, 3], "int16", 0.1, 0.5),
    ([1.5, np.nan, -2.25, np.inf], "float32", 2.0, 1.0),
)


def _order(affine: np.ndarray) -> dict[str, Any]:
    grid = Geometry((4, 5, 6), affine)
    order = grid.canonical
    return {
        "affine": affine[:3].tolist(),
        "permutation": list(order.permutation),
        "flips": list(order.flips),
        "spacing_mm": list(grid.spacing_mm),
    }


def _resampler(pixels: int, spacing: float, new_pixels: int, new_spacing: float) -> dict[str, Any]:
    made = AxisResampler.between(pixels, spacing, new_pixels, new_spacing)
    arguments = [pixels, spacing, new_pixels, new_spacing]
    return {"arguments": arguments, "index": made.index.tolist(), "weight": made.weight.tolist()}


def _compact(stored: list[float], dtype: str, slope: float, intercept: float) -> dict[str, Any]:
    raw = np.array(stored, dtype).reshape(-1, 1, 1)
    text = [str(value) for value in raw.ravel().tolist()]  # JSON has no NaN
    values, _ = compact_values(raw.copy(), slope, intercept)
    return {
        "stored": text,
        "dtype": dtype,
        "slope": slope,
        "inter": intercept,
        "values": values.ravel().tolist(),
        "type": str(values.dtype),
    }


def _scan(recipe: str, values: np.ndarray, affine: np.ndarray) -> dict[str, Any]:
    volume = calibrated(Volume(values, Geometry(values.shape, affine)))
    stack = SliceStack(volume, RECIPES[recipe])
    step = stack.step
    images = [
        scale[2 : 2 + 2 * step : step][:, :, *PART].astype(np.float64).round(7).tolist()
        for scale in stack.at_tta_scales()
    ]
    return {
        "recipe": recipe,
        "dim": list(values.shape),
        "affine": affine[:3].tolist(),
        "type": str(values.dtype),
        "values": values.ravel(order="F").tolist(),
        "modality": volume.modality,
        "unit": volume.intensity_unit,
        "scale": [stack.scale.low, stack.scale.high, stack.scale.headroom],
        "canvas": [list(scale.plan.canvas) for scale in stack.at_tta_scales()],
        "field": [list(scale.plan.field) for scale in stack.at_tta_scales()],
        "step": step,
        "slices": [2, 2 + step][: len(images[0])],
        "images": images,
    }


def _batches(slices: int, spacing_mm: float) -> dict[str, Any]:
    grid = Geometry((8, 8, slices), np.diag([3.0, 3.0, spacing_mm, 1.0]))
    stack = SliceStack(Volume(np.ones(grid.shape, np.int16), grid), RECIPE)
    scales = stack.at_tta_scales()
    made = plan_batches(scales, None)
    pixels = int(np.prod(np.max([scale.plan.canvas for scale in scales], axis=0)))
    everything = list(range(slices))
    return {
        "arguments": [slices, stack.step, pixels, True],
        "batches": [[everything[each.seen], each.first, each.size] for each in made],
    }


def _islands(seed: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    labels = (generator.random((12, 10, 8)) < 0.05).astype(np.uint8)
    labels[1:5, 1:6, 1:5] = 1
    labels[8:11, 7:9, 6:8] = 1
    spacing = (3.0, 4.0, 5.0 + seed)
    kept = labels.copy()
    remove_islands(kept, 0.1, spacing)
    return {
        "dim": list(labels.shape),
        "spacing_mm": list(spacing),
        "labels": labels.ravel(order="F").tolist(),
        "kept": kept.ravel(order="F").tolist(),
    }


def _implausible(seed: int, affine: np.ndarray) -> dict[str, Any]:
    """A mask that reaches into lung, fat and a rib, with gas and a stent inside, and with noise."""
    generator = np.random.default_rng(seed)
    shape = (15, 14, 9)
    values = generator.normal(60, 40, shape)
    values[generator.random(shape) < 0.02] = 700  # clips
    lung, fat, rib = (
        np.broadcast_to(np.indices(shape)[axis] >= start, shape)
        for axis, start in ((seed % 3, 6), ((seed + 1) % 3, 7), ((seed + 2) % 3, 8))
    )
    values[fat] = generator.normal(-110, 40, shape)[fat]
    values[lung & ~fat] = generator.normal(-800, 60, shape)[lung & ~fat]
    values[rib & ~lung & (generator.random(shape) < 0.7)] = 800
    values[3:5, 3:5, 3:5] = -300  # gas inside, with a bridge to the border
    values[3, :4, 3] = -300
    values[-3:] = np.where(generator.random(values[-3:].shape) < 0.3, -1000, values[-3:])
    labels = (generator.random(shape) < 0.97).astype(np.uint8)
    labels[:1] = labels[:, -2:] = labels[..., -1:] = 0
    if seed % 2:
        labels[0] = 1  # reaches the edge of the scan
    volume = calibrated(Volume(values.astype(np.int16), Geometry(shape, affine)))
    volume = replace(volume, modality="CT", intensity_unit="HU")
    with patch.object(implausible_hu, "detect_modality", lambda _: "CT"):  # small, and mostly fat
        return _removal(implausible_hu.remove_implausible, labels, volume)


def _dark_ends(seed: int, affine: np.ndarray) -> dict[str, Any]:
    """A mask that reaches into slices of lung, into slices that receive little signal, or both."""
    generator = np.random.default_rng(seed)
    order = Geometry((9, 9, 9), affine).canonical
    slices = generator.normal(300, 30, (9, 10, 11)).clip(0)
    slices[:, :, :3] = generator.normal(8, 3, (9, 10, 3)).clip(0)
    if seed % 2 == 0:
        slices[7:, 3:8, 5:9] = generator.normal(30, 8, (2, 5, 4)).clip(0)
    if seed % 3:
        slices[:2] *= 0.2
    marked = np.zeros(slices.shape, np.uint8)
    marked[1:, 3:8, 5:9] = generator.random((8, 5, 4)) < 0.9
    values = np.ascontiguousarray(order.undo(slices.astype(np.int16)))
    labels = np.ascontiguousarray(order.undo(marked))
    volume = calibrated(Volume(values, Geometry(values.shape, affine), "MR"))
    return _removal(remove_dark_ends, labels, volume)


def _removal(remove: Callable[..., Any], labels: np.ndarray, volume: Volume) -> dict[str, Any]:
    """A scan, a mask of it, and what is left of the mask."""
    kept = labels.copy()
    remove(kept, volume)
    return {
        "dim": list(labels.shape),
        "affine": volume.geometry.affine[:3].tolist(),
        "values": volume.values.ravel(order="F").tolist(),
        "labels": labels.ravel(order="F").tolist(),
        "kept": kept.ravel(order="F").tolist(),
    }


if __name__ == "__main__":
    TABLE.write_text(json.dumps(make(), separators=(",", ":")) + "\n")
