"""Preview of a segmentation as one PNG file: axial slices through the liver and a coronal plane.

It needs no display and no graphics library other than Pillow, and contains nothing that identifies the patient.
"""

from __future__ import annotations

import io
import os
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from rma_mamba.conventions import LIVER_RGB, SOFTWARE_NAME, software
from rma_mamba.errors import ConfigError, GridError
from rma_mamba.files import replace_file
from rma_mamba.reporting.display import DisplayedScan, Plane, draw_plane
from rma_mamba.reporting.measure import measure
from rma_mamba.volume import Mask, Volume

AXIAL_SLICES = 12
_COLUMNS = 4
_TILE_PX = 250  # longer side of an axial tile
_THUMBNAIL_PX = 160
_GAP_PX = 8
_MARGIN_PX = 24
_HEADER_PX = 58
_FOOTER_PX = 26
_BACKGROUND, _TEXT, _MUTED = (16, 17, 20), (236, 236, 238), (142, 146, 154)


def write_preview(volume: Volume, mask: Mask, path: str | os.PathLike[str]) -> None:
    """Write a PNG with up to 12 axial slices through the liver and the coronal plane with most of it.

    Radiological convention, physical proportions, contour in the standard colour of the liver. CT in HU is displayed
    from -160 to 240 HU, other scans between percentiles. The file is written atomically.

    Args:
        volume: The scan; calibrated here unless it already is, as `Segmentation.scan`.
        mask: Its mask; may be empty.
        path: Output file, ending in .png.

    Raises:
        ConfigError: The path does not end in .png.
        GridError: The mask is not on the scan's grid.
        ScanError: The file cannot be written.
    """
    out = Path(path)
    if out.suffix.lower() != ".png":
        raise ConfigError(
            f"the preview's path ends in '{out.suffix}'; expected .png. Use a path ending in .png."
        )
    replace_file(out, _as_png(render_preview(volume, mask)), "preview")


def render_preview(volume: Volume, mask: Mask) -> Image.Image:
    """The image that `write_preview` writes, RGB.

    Raises:
        GridError: The mask is not on the scan's grid.
    """
    scan = _displayed(volume, mask)
    tiles = [_axial_tile(scan, index) for index in _slices_to_show(scan)]
    width, height = tiles[0].size
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    grid_width = columns * (width + _GAP_PX)
    grid_height = max(rows * (height + _GAP_PX) - _GAP_PX, _TILE_PX)
    coronal = _coronal_tile(scan, (round(1.7 * _TILE_PX), grid_height))

    page = Image.new(
        "RGB",
        (
            2 * _MARGIN_PX + grid_width + coronal.width,
            _HEADER_PX + grid_height + _FOOTER_PX + _MARGIN_PX,
        ),
        _BACKGROUND,
    )
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        corner = (_MARGIN_PX + column * (width + _GAP_PX), _HEADER_PX + row * (height + _GAP_PX))
        page.paste(tile, corner)
    page.paste(coronal, (_MARGIN_PX + grid_width, _HEADER_PX))
    _write_title(page, scan)
    return page


def thumbnail_png(volume: Volume, mask: Mask) -> bytes:
    """The axial slice with most of the liver as a small PNG file, for a list of cases.

    Raises:
        GridError: The mask is not on the scan's grid.
    """
    scan = _displayed(volume, mask)
    areas = scan.labels.sum(axis=(1, 2))
    index = int(areas.argmax()) if areas.any() else len(areas) // 2
    rows, columns = scan.body
    plane, labels = scan.values[index, rows, columns], scan.labels[index, rows, columns]
    _, row_mm, column_mm = scan.spacing_mm
    inner = None if scan.inner_labels is None else scan.inner_labels[index, rows, columns]
    tile = _tile(scan, plane, labels, (row_mm, column_mm), (_THUMBNAIL_PX, _THUMBNAIL_PX), inner)
    return _as_png(tile)


def _as_png(image: Image.Image) -> bytes:
    """A PNG file that names its software, so that a folder of images is read without it."""
    content, mark = io.BytesIO(), PngInfo()
    mark.add_text("Software", software())
    image.save(content, format="PNG", pnginfo=mark)
    return content.getvalue()


def render_slices(volume: Volume, mask: Mask, zoom: float) -> dict[str, Image.Image]:
    """The planes of the preview as single images by name ("Axial slice, S 45 mm"), the coronal plane last.

    Args:
        volume: The scan.
        mask: Its mask; may be empty.
        zoom: Size relative to the preview; about 250 px times this.

    Raises:
        GridError: The mask is not on the scan's grid.
    """
    scan = _displayed(volume, mask)
    axial = {
        f"Axial slice, {_axial_position(scan, index)}": _axial_tile(scan, index, zoom)
        for index in _slices_to_show(scan)
    }
    limit = round(1.7 * _TILE_PX * zoom)
    return {**axial, "Coronal plane": _coronal_tile(scan, (limit, limit), zoom)}


def _displayed(volume: Volume, mask: Mask) -> DisplayedScan:
    if not volume.geometry.matches(mask.geometry):
        raise GridError(
            f"the grid of the mask {mask.geometry.shape} differs from that of the scan {volume.geometry.shape}; "
            "expected the same grid. Use the scan from which the mask was made."
        )
    from rma_mamba.slicing.calibration import calibrated  # slow to import

    return DisplayedScan(calibrated(volume), mask)


def _slices_to_show(scan: DisplayedScan) -> list[int]:
    """Up to 12 slice numbers, superior to inferior, evenly spaced through the liver and slightly beyond."""
    last = len(scan.labels) - 1
    filled = np.flatnonzero(scan.labels.any(axis=(1, 2)))
    low, high = (int(filled[0]), int(filled[-1])) if filled.size else (0, last)
    context = max(1, round(0.06 * (high - low)))
    low, high = max(0, low - context), min(last, high + context)
    count = min(AXIAL_SLICES, high - low + 1)
    return [int(index) for index in np.linspace(high, low, count).round()]


def _axial_tile(scan: DisplayedScan, index: int, zoom: float = 1) -> Image.Image:
    rows, columns = scan.body
    _, row_mm, column_mm = scan.spacing_mm
    plane, labels = scan.values[index, rows, columns], scan.labels[index, rows, columns]
    side = round(_TILE_PX * zoom)
    inner = None if scan.inner_labels is None else scan.inner_labels[index, rows, columns]
    tile = _tile(scan, plane, labels, (row_mm, column_mm), (side, side), inner)
    _write_directions(tile, zoom, left="R", right="L", top="A", bottom="P")
    corner = (round(7 * zoom), round(11 * zoom))
    _write(ImageDraw.Draw(tile), corner, _axial_position(scan, index), round(12 * zoom))
    return tile


def _axial_position(scan: DisplayedScan, index: int) -> str:
    return _position_label(scan, (index, scan.values.shape[1] // 2, scan.values.shape[2] // 2))


def _coronal_tile(scan: DisplayedScan, limit: tuple[int, int], zoom: float = 1) -> Image.Image:
    per_plane = scan.labels.sum(axis=(0, 2))
    middle = int(per_plane.argmax()) if per_plane.any() else len(per_plane) // 2
    slice_mm, _, column_mm = scan.spacing_mm
    columns = scan.body[1]
    # Rows of the image run from superior to inferior.
    plane = scan.values[::-1, middle, columns]
    labels = scan.labels[::-1, middle, columns]
    inner = None if scan.inner_labels is None else scan.inner_labels[::-1, middle, columns]
    tile = _tile(scan, plane, labels, (slice_mm, column_mm), limit, inner)
    _write_directions(tile, zoom, left="R", right="L", top="S", bottom="I")
    px_per_mm = tile.width / (plane.shape[1] * column_mm)
    _draw_scale(tile, px_per_mm, zoom)
    return tile


def _tile(
    scan: DisplayedScan,
    plane: Plane,
    labels: Plane,
    spacing_mm: tuple[float, float],
    limit: tuple[int, int],
    inner: Plane | None = None,
) -> Image.Image:
    """A plane scaled to fit `limit` (width, height) px in physical proportions."""
    height_mm, width_mm = plane.shape[0] * spacing_mm[0], plane.shape[1] * spacing_mm[1]
    px_per_mm = min(limit[0] / width_mm, limit[1] / height_mm)
    size = (max(1, round(width_mm * px_per_mm)), max(1, round(height_mm * px_per_mm)))
    # in enlarged slices the contour is wider as well, so that it is visible in their thumbnails
    return draw_plane(scan.grey(plane), labels, size, 3 if limit[0] <= 2 * _TILE_PX else 2, inner)


def _position_label(scan: DisplayedScan, voxel: tuple[int, int, int]) -> str:
    """Position of a canonical voxel along the patient axis: "S 45 mm" above or "I 45 mm" below zero."""
    geometry = scan.volume.geometry
    order = geometry.canonical
    index = [0, 0, 0]
    for position, axis, flip in zip(voxel, order.permutation, order.flips, strict=True):
        index[axis] = geometry.shape[axis] - 1 - position if flip else position
    height_mm = round(float(geometry.affine[2, :3] @ index + geometry.affine[2, 3]))
    return f"{'S' if height_mm >= 0 else 'I'} {abs(height_mm)} mm"


def _write_directions(
    tile: Image.Image, zoom: float, *, left: str, right: str, top: str, bottom: str
) -> None:
    width, height = tile.size
    side, edge = round(6 * zoom), round(4 * zoom)
    places = (
        (left, (side, height // 2), "lm"),
        (right, (width - side, height // 2), "rm"),
        (top, (width // 2, edge), "mt"),
        (bottom, (width // 2, height - edge), "mb"),
    )
    draw = ImageDraw.Draw(tile)
    for letter, corner, anchor in places:
        _write(draw, corner, letter, round(13 * zoom), anchor=anchor)


def _draw_scale(tile: Image.Image, px_per_mm: float, zoom: float) -> None:
    length = round(50 * px_per_mm)
    right, bottom = tile.width - round(10 * zoom), tile.height - round(12 * zoom)
    draw = ImageDraw.Draw(tile)
    draw.line((right - length, bottom, right, bottom), fill=_TEXT, width=round(2 * zoom))
    corner = (right - length // 2, bottom - round(4 * zoom))
    _write(draw, corner, "5 cm", round(12 * zoom), anchor="mb")


def _write_title(page: Image.Image, scan: DisplayedScan) -> None:
    draw = ImageDraw.Draw(page)
    measured = measure(scan.mask)
    title = f"Liver {measured.volume_ml:,.0f} mL" if measured.volume_ml else "No liver found"
    draw.rectangle((_MARGIN_PX, 21, _MARGIN_PX + 12, 40), fill=LIVER_RGB)
    _write(draw, (_MARGIN_PX + 22, 30), title, 24)
    if measured.touches_border:
        after = _MARGIN_PX + 40 + round(draw.textlength(title, font=_font(24)))
        faces = ", ".join(measured.touches_border)
        _write(draw, (after, 31), f"reaches the edge of the scan: {faces}", 14, colour=LIVER_RGB)
    geometry = scan.volume.geometry
    grid = " x ".join(str(size) for size in geometry.shape)
    spacing = " x ".join(f"{size:.2f}" for size in geometry.spacing_mm)
    facts = [scan.volume.modality or "", f"{grid} voxels", f"{spacing} mm"]
    line = "   ".join(fact for fact in facts if fact)
    _write(draw, (page.width - _MARGIN_PX, 31), line, 14, anchor="rm", colour=_MUTED)
    note = f"{SOFTWARE_NAME}: research software, not a medical device"
    _write(draw, (_MARGIN_PX, page.height - 18), note, 12, colour=_MUTED)


def _write(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    size: int,
    *,
    anchor: str = "lm",
    colour: tuple[int, int, int] = _TEXT,
) -> None:
    """Text with a dark outline, legible on any background."""
    draw.text(
        corner, text, colour, _font(size), anchor=anchor, stroke_width=2, stroke_fill=_BACKGROUND
    )


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
