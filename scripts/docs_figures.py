"""Draw the figures of the documentation that show phantoms, with the bundled network: about a minute.

    python scripts/docs_figures.py [FOLDER]

No patient is shown in any of them. Schematic figures are drawn by scripts/docs_drawings.py.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends import backend_pdf
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from PIL import Image

import rma_mamba
from rma_mamba.cli.run import run
from rma_mamba.conventions import ABDOMEN_WINDOW_HU, LIVER_RGB
from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.inference import Segmentation
from rma_mamba.reporting import write_preview
from rma_mamba.scans.contours import outlines
from rma_mamba.slicing import to_slices
from rma_mamba.surface import surface_of
from rma_mamba.volume import Geometry, Mask, Volume

OUT = Path(__file__).parents[1] / "docs" / "images"
LIVER = np.array(LIVER_RGB) / 255
INK, MUTED, BLUE = "#1f2933", "#5b6770", "#2c6fbb"


def main() -> None:
    """Draw all figures into docs/images, or into the folder of the command line."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    plt.rcParams.update({"font.size": 10, "figure.facecolor": "white"})
    segmenter = rma_mamba.Segmenter.load(device="cpu")
    ct = make_phantom(5, contrast="ct", shape=(176, 176, 40), spacing_mm=(2.0, 2.0, 6.0)).volume
    result = segmenter(ct, keep_probabilities=True)
    phantoms(out / "phantoms.png")
    path(out / "path.png", ct, result, segmenter)
    uncertainty(out / "uncertainty.png", ct, result)
    quality(out / "quality.png", ct, result, segmenter)
    outputs(out / "outputs.png")
    measurements(out / "measurements.png")
    with tempfile.TemporaryDirectory() as folder:
        demo(out / "demo.png", Path(folder))
        report(out / "report.png", Path(folder))


def phantoms(out: Path) -> None:
    """One phantom in three contrasts, with its true liver."""
    figure, row = plt.subplots(1, 3, figsize=(9.6, 2.7), dpi=110)
    titles = {"mr_t2": "MR, T2-weighted", "mr_t1": "MR, T1-weighted", "ct": "CT, portal venous"}
    for axes, (contrast, title) in zip(row, titles.items(), strict=True):
        phantom = make_phantom(
            5, contrast=contrast, shape=(176, 176, 40), spacing_mm=(2.0, 2.0, 6.0)
        )
        k = largest_slice(phantom.mask.labels)
        show_slice(axes, phantom.volume.values[:, :, k], title, is_ct=contrast == "ct")
        outline(axes, phantom.mask.labels[:, :, k])
    save(figure, out)


def path(out: Path, ct: Volume, result: Segmentation, segmenter: rma_mamba.Segmenter) -> None:
    """A slice of the scan, the scaled slice, its probabilities, and the mask."""
    k = largest_slice(result.mask.labels)
    seen = to_slices(replace(ct, modality="CT"), segmenter.recipe)
    figure, row = plt.subplots(1, 4, figsize=(9.6, 2.8), dpi=110)
    show_slice(row[0], ct.values[:, :, k], "scan (HU)", is_ct=True)
    row[1].imshow(seen[k, seen.shape[1] // 2], cmap="gray", vmin=0, vmax=1)
    row[1].set_title("slice, scaled to 0–1", fontsize=10, color=INK)
    show_slice(
        row[2], result.probabilities[:, :, k], "probability of liver", cmap="magma", limits=(0, 1)
    )
    show_slice(row[3], ct.values[:, :, k], "mask on the scan", is_ct=True)
    outline(row[3], result.mask.labels[:, :, k])
    for axes in row:
        axes.set_axis_off()
    save(figure, out)


def uncertainty(out: Path, ct: Volume, result: Segmentation) -> None:
    """A slice with the outline of the mask, and its entropy."""
    k = largest_slice(result.mask.labels)
    figure, row = plt.subplots(1, 2, figsize=(8.2, 3.2), dpi=110)
    show_slice(row[0], ct.values[:, :, k], "scan and mask", is_ct=True)
    outline(row[0], result.mask.labels[:, :, k])
    shown = show_slice(
        row[1], result.uncertainty_bits[:, :, k], "voxel-wise entropy", cmap="magma", limits=(0, 1)
    )
    bar = figure.colorbar(shown, ax=row, fraction=0.022, pad=0.02)
    bar.set_label("bits")
    figure.savefig(out, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def quality(out: Path, ct: Volume, result: Segmentation, segmenter: rma_mamba.Segmenter) -> None:
    """Previews of the phantom as it is, and with left and right swapped in its header."""
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    swapped = replace(ct, geometry=Geometry(ct.geometry.shape, flip @ ct.geometry.affine))
    images = []
    with tempfile.TemporaryDirectory() as folder:
        for scan, found in ((ct, result), (swapped, segmenter(swapped))):
            write_preview(replace(scan, modality="CT"), found.mask, Path(folder) / "preview.png")
            print(found.quality.line)
            images.append(Image.open(Path(folder) / "preview.png").convert("RGB"))
    width, height = images[0].size
    both = Image.new("RGB", (width, 2 * height + 24), "white")
    both.paste(images[0], (0, 0))
    both.paste(images[1], (0, height + 24))
    both.resize((1000, round(1000 * both.height / width)), Image.Resampling.LANCZOS).save(out)


def outputs(out: Path) -> None:
    """The surface of a phantom's liver, and its contours on one slice."""
    phantom = make_phantom(0, contrast="ct", shape=(160, 144, 60), spacing_mm=(2.4, 2.4, 4.0))
    figure = plt.figure(figsize=(9, 4), dpi=110)
    show_surface(figure.add_subplot(1, 2, 1, projection="3d"), phantom.mask)
    axes = figure.add_subplot(1, 2, 2)
    k = largest_slice(phantom.mask.labels)
    show_slice(
        axes, phantom.volume.values[:, :, k], "dicom_rtstruct: contours on each image", is_ct=True
    )
    outline(axes, phantom.mask.labels[:, :, k])
    save(figure, out)


def measurements(out: Path) -> None:
    """Extents, the border, and the area that the edge of the scan cuts off."""
    phantom = make_phantom(5, contrast="ct", shape=(132, 110, 40), spacing_mm=(2.7, 2.7, 6.0))
    labels, values = phantom.mask.labels, phantom.volume.values
    k = largest_slice(labels)
    figure, row = plt.subplots(1, 3, figsize=(9.6, 3.1), dpi=110)
    show_slice(row[0], values[:, :, k], "extent (box)", is_ct=True)
    outline(row[0], labels[:, :, k])
    i, j = (np.flatnonzero(labels.any(axis=axes)) for axes in ((1, 2), (0, 2)))
    box = ([i[0], i[-1], i[-1], i[0], i[0]], [j[0], j[0], j[-1], j[-1], j[0]])
    row[0].plot(*box, color="#f2c14e", linewidth=1.4, linestyle="--")
    show_slice(row[1], values[:, :, k], "border voxels (uncertainty)", is_ct=True)
    liver = labels[:, :, k] > 0
    inner = (
        liver
        & np.roll(liver, 1, 0)
        & np.roll(liver, -1, 0)
        & np.roll(liver, 1, 1)
        & np.roll(liver, -1, 1)
    )
    limits = row[1].axis()
    border = np.ma.masked_equal((liver & ~inner).T, 0)
    row[1].imshow(border, cmap=mpl.colors.ListedColormap(["#f2c14e"]), interpolation="none")
    row[1].axis(limits)
    coronal = int(labels.sum(axis=(0, 2)).argmax())
    cut = slice(0, int(np.flatnonzero(labels.any(axis=(0, 1)))[-1]) - 3)
    show_slice(
        row[2], values[:, coronal, cut], "cut-off area (superior)", is_ct=True, aspect=6.0 / 2.7
    )
    outline(row[2], labels[:, coronal, cut])
    top = np.flatnonzero(labels[:, coronal, cut.stop - 1])
    row[2].plot(
        [top[0], top[-1]], [cut.stop - 0.6] * 2, color="#f2c14e", linewidth=3.5, clip_on=False
    )
    save(figure, out)


def demo(out: Path, folder: Path) -> None:
    """The preview of the MR scan of `make demo`."""
    assert run(["demo", "--output", str(folder / "demo")]) == 0
    Image.open(folder / "demo" / "mr_t2_liver_preview.png").save(out)


def report(out: Path, folder: Path) -> None:
    """The first page of the PDF report."""
    pages: list[Any] = []
    keep = backend_pdf.PdfPages.savefig

    def savefig(self: Any, figure: Any = None, **options: Any) -> None:
        pages.append(figure)
        keep(self, figure, **options)

    backend_pdf.PdfPages.savefig = savefig  # type: ignore[method-assign]
    rma_mamba.write_scan(make_phantom(3, contrast="mr_t2").volume, folder / "scan.nii.gz")
    assert (
        run(["segment", "-i", str(folder / "scan.nii.gz"), "-o", str(folder / "out"), "--report"])
        == 0
    )
    backend_pdf.PdfPages.savefig = keep  # type: ignore[method-assign]
    pages[0].savefig(out, dpi=110, facecolor="white", metadata={"Software": None})


def largest_slice(labels: Any) -> int:
    """The axial slice with most liver."""
    return int(labels.sum(axis=(0, 1)).argmax())


def show_slice(
    axes: Axes,
    values: Any,
    title: str,
    *,
    is_ct: bool = False,
    cmap: str = "gray",
    limits: Any = None,
    aspect: float = 1,
) -> Any:
    """An array [x, y] of a phantom (LPS or RAS) as a radiologist sees it: superior or anterior at the top."""
    low, high = limits or (ABDOMEN_WINDOW_HU if is_ct else np.percentile(values, (1, 99.7)))
    shown = axes.imshow(values.T, cmap=cmap, vmin=low, vmax=high, aspect=aspect)
    axes.invert_yaxis()
    axes.invert_xaxis()
    axes.set_axis_off()
    axes.set_title(title, fontsize=10, color=INK)
    return shown


def outline(axes: Axes, labels: Any) -> None:
    """The contours of a mask [x, y]."""
    for ring in outlines(labels.T):
        rows, columns = np.vstack([ring, ring[:1]]).T
        axes.plot(columns, rows, color=LIVER, linewidth=1.5)


def show_surface(axes: Any, mask: Mask) -> None:
    """The shaded surface of a mask, from the front."""
    surface = surface_of(mask)
    light = surface.normals @ np.array([0.3, 0.8, 0.5])
    shade = 0.65 + 0.35 * light / np.linalg.norm(surface.normals, axis=1)
    colours = np.clip(shade[:, None] * LIVER, 0, 1)
    faces = surface.vertices_mm[surface.faces]
    axes.add_collection3d(Poly3DCollection(faces, facecolors=colours, antialiaseds=False))
    low, high = surface.vertices_mm.min(axis=0), surface.vertices_mm.max(axis=0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(high - low)
    axes.view_init(12, 80)
    axes.set_axis_off()
    axes.set_title("stl, obj: a closed surface in mm", fontsize=10, color=INK)


def save(figure: plt.Figure, out: Path) -> None:
    """Write without margins or a date."""
    figure.tight_layout()
    figure.savefig(out, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
