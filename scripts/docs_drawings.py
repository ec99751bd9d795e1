"""Draw the schematic figures of the documentation: architecture, network, inputs, many scans.

    python scripts/docs_drawings.py [FOLDER]

The figures have a light background of their own, so that they are legible on light and dark pages.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).parents[1]
INK, MUTED, LINE, PAPER = "#1f2933", "#5b6770", "#9aa5b1", "#ffffff"
LIVER, PALE, BLUE, GREEN = "#dd8265", "#fbe9e2", "#e3ecf7", "#e6f2e8"
WHAT = {
    "cli": "commands",
    "server": "viewer, node, watch",
    "pipeline": "files in, files out",
    "exporting": "MONAI bundles",
    "experiments": "benchmarks, sweeps",
    "training": "recipes, runs",
    "evaluation": "scores, statistics",
    "inference": "Segmenter, TTA",
    "datasets": "layouts, splits, phantom",
    "models": "networks, weights",
    "slicing": "calibrate, slices and back",
    "scans": "readers, writers",
    "metrics": "Dice, distances",
    "reporting": "measure, flags, report",
    "surface": "meshes",
    "ops": "selective scan",
    "volume": "Volume, Mask, Geometry",
    "files": "atomic writes",
    "labels": "which values are liver",
    "conventions": "shared constants",
    "environment": "users, folders",
    "errors": "error types",
    "shapes": "names of axes",
    "process": "memory",
    "source_images": "DICOM images",
    "deprecation": "renamed names",
    "extras": "missing optional libraries",
    "setting_errors": "invalid settings",
}
FILLS = (PALE, BLUE, GREEN)


def main() -> None:
    """Draw all figures into docs/images, or into the folder of the command line."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    plt.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "rma-mamba", "font.size": 10})
    for draw in (architecture, network, inputs, many_scans):
        draw(folder)


def layers() -> list[list[str]]:
    """The rows of the layer contract in pyproject.toml, top first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    rows = next(each["layers"] for each in contracts if each["type"] == "layers")
    names = [re.findall(r"\w+", row) for row in rows]
    return [row for row in names if row != ["__main__"]]


def architecture(folder: Path) -> None:
    """The packages in the rows of the layer contract."""
    rows = layers()
    figure, axes = canvas(9.6, 0.85 * len(rows) + 0.2)
    height = len(rows)
    for at, row in enumerate(rows):
        width = 9.0 / len(row)
        for column, name in enumerate(row):
            fill = FILLS[0] if at < 3 else FILLS[1] if at < height - 3 else FILLS[2]
            y = height - 1 - at
            box(
                axes,
                (0.6 + column * width, y),
                (width - 0.12, 0.74),
                name,
                WHAT.get(name, ""),
                fill,
            )
    arrow(axes, (0.28, height - 0.3), (0.28, 0.1))
    axes.text(
        0.12, height / 2, "imports", rotation=90, color=MUTED, va="center", ha="center", fontsize=9
    )
    axes.set(xlim=(0, 9.7), ylim=(-0.15, height))
    save(figure, folder / "architecture.svg")


def network(folder: Path) -> None:
    """Encoder levels, decoder levels and their predictions."""
    figure, axes = canvas(9.6, 4.3)
    sizes = ("1/4", "1/8", "1/16", "1/32")
    box(axes, (0.1, 3.1), (1.15, 0.8), "slice", "3 channels", PAPER)
    for at, size in enumerate(sizes):
        x = 1.75 + 2.0 * at
        box(axes, (x, 3.1), (1.5, 0.8), "VSS blocks", f"map at {size}", BLUE)
        arrow(axes, (x - 0.5, 3.5), (x, 3.5))
        title, note = (
            ("reverse attention", "VSS blocks")
            if at < 3
            else ("1 x 1 convolution", "coarse prediction")
        )
        box(axes, (x, 1.55), (1.5, 0.8), title, note, PALE)
        arrow(axes, (x + 0.75, 3.1), (x + 0.75, 2.35))
        box(axes, (x, 0.15), (1.5, 0.6), f"logits {size}", "", PAPER if at else LIVER)
        arrow(axes, (x + 0.75, 1.55), (x + 0.75, 0.75))
        if at < 3:
            arrow(axes, (x + 2.0, 0.6), (x + 1.5, 1.75))
    axes.text(2.6, 0.98, "1 - probability", fontsize=8.5, color=MUTED, ha="left")
    axes.text(0.1, 2.0, "decoder,\ncoarse to fine", fontsize=9, color=MUTED, va="center")
    axes.text(0.1, 0.45, "the finest map\nis the prediction", fontsize=9, color=MUTED, va="center")
    axes.set(xlim=(0, 9.6), ylim=(0, 4.1))
    save(figure, folder / "network.svg")


def inputs(folder: Path) -> None:
    """Positions of slices as acquired, and the regular grid onto which they are resampled."""
    figure, columns = plt.subplots(1, 4, figsize=(9.6, 3.4), dpi=110)
    regular = [float(at) for at in range(9)]
    kinds = {
        "regular": (regular, 0.0, "accepted"),
        "missing slices": ([at for at in regular if at not in (4, 5)], 0.0, "interpolated"),
        "uneven spacing": ([0, 1.25, 1.9, 3.2, 4.0, 4.8, 6.2, 7.1, 8.0], 0.0, "resampled"),
        "gantry tilt": (regular, 0.22, "resampled"),
    }
    for axes, (title, (places, tilt, done)) in zip(columns, kinds.items(), strict=True):
        for at in regular:
            axes.plot([0, 4], [at, at], color=LINE, linewidth=1, linestyle=(0, (4, 3)))
        for at in places:
            axes.plot(
                [0.25, 3.75],
                [at - 1.75 * tilt, at + 1.75 * tilt],
                color=LIVER,
                linewidth=3,
                solid_capstyle="round",
            )
        axes.set_title(title, fontsize=11, color=INK)
        axes.text(2, -1.35, done, ha="center", color=MUTED, fontsize=10)
        axes.set(xlim=(-0.3, 4.3), ylim=(-1.7, 8.7))
        axes.set_axis_off()
    figure.set_facecolor(PAPER)
    figure.tight_layout()
    figure.savefig(folder / "inputs.png", metadata={"Software": None})
    plt.close(figure)


def many_scans(folder: Path) -> None:
    """A cohort and its results as two trees."""
    figure, axes = canvas(9.6, 3.7)
    before = [
        "scans/",
        "  patient_1/",
        "    ct.nii.gz",
        "  patient_2/",
        "    IM0001.dcm …",
        "  study.zip",
        "  dynamic.nii.gz  (4-D)",
    ]
    after = [
        "results/",
        "  patient_1/ct/",
        "  patient_2/",
        "  study/",
        "  dynamic/volume_01/",
        "  dynamic/volume_02/",
        "  errors.jsonl",
    ]
    case = ["in each case:", "  liver.nii.gz", "  run.json", "  preview.png", "  statistics.json"]
    for x, width, lines in ((0.1, 2.75, before), (4.15, 2.75, after), (7.15, 2.3, case)):
        axes.add_patch(
            FancyBboxPatch(
                (x, 0.15),
                width,
                3.3,
                boxstyle="round,pad=0,rounding_size=0.1",
                fc=BLUE if x < 1 else PALE if x < 7 else GREEN,
                ec=LINE,
            )
        )
        for at, line in enumerate(lines):
            axes.text(
                x + 0.18,
                3.1 - 0.44 * at,
                line,
                family="monospace",
                fontsize=9.5,
                color=INK,
                va="center",
            )
    arrow(axes, (2.95, 1.8), (4.05, 1.8))
    axes.text(3.5, 2.05, "segment", ha="center", fontsize=9.5, color=INK, family="monospace")
    axes.text(3.5, 1.5, "--volume all", ha="center", fontsize=8.5, color=MUTED, family="monospace")
    axes.set(xlim=(0, 9.6), ylim=(0, 3.6))
    save(figure, folder / "many-scans.png")


def canvas(width: float, height: float) -> tuple[plt.Figure, Axes]:
    """An empty figure with one axis that fills it."""
    figure = plt.figure(figsize=(width, height), dpi=110, facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return figure, axes


def box(
    axes: Axes,
    corner: tuple[float, float],
    size: tuple[float, float],
    title: str,
    note: str,
    fill: str,
) -> None:
    """A rounded box with a title and a note below it."""
    axes.add_patch(
        FancyBboxPatch(
            corner, *size, boxstyle="round,pad=0,rounding_size=0.08", fc=fill, ec=LINE, linewidth=1
        )
    )
    x, y = corner[0] + size[0] / 2, corner[1] + size[1] / 2
    axes.text(
        x,
        y + (0.14 if note else 0),
        title,
        ha="center",
        va="center",
        fontsize=9.8 if len(title) < 12 or size[0] > 1.3 else 8.6,
        color=INK,
        weight="bold",
    )
    if note:
        axes.text(x, y - 0.19, note, ha="center", va="center", fontsize=8.2, color=MUTED)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A thin arrow."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=11,
            color=MUTED,
            linewidth=1.2,
            shrinkA=0,
            shrinkB=1,
        )
    )


def save(figure: plt.Figure, path: Path) -> None:
    """Write without a date, so that equal figures give identical files."""
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    figure.savefig(path, facecolor=PAPER, metadata=metadata)
    plt.close(figure)


if __name__ == "__main__":
    main()
