"""Draw docs/images/outputs.png from the synthetic phantom: the mesh, and the contours of one slice.

python scripts/outputs_picture.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.reporting.display import LIVER_RGB
from rma_mamba.scans.contours import outlines
from rma_mamba.surface import surface_of

OUT = Path(__file__).parents[1] / "docs" / "images" / "outputs.png"


def main() -> None:
    """Write the picture."""
    phantom = make_phantom(0, contrast="ct", shape=(160, 144, 60), spacing_mm=(2.4, 2.4, 4.0))
    colour = np.array(LIVER_RGB) / 255
    figure = plt.figure(figsize=(9, 4), dpi=110)
    _draw_mesh(figure.add_subplot(1, 2, 1, projection="3d"), phantom, colour)
    _draw_contours(figure.add_subplot(1, 2, 2), phantom, colour)
    figure.tight_layout()
    figure.savefig(OUT, metadata={"Software": None})


def _draw_mesh(axes, phantom, colour) -> None:
    surface = surface_of(phantom.mask)
    light = surface.normals @ np.array([0.3, 0.8, 0.5])
    shade = 0.65 + 0.35 * light / np.linalg.norm(surface.normals, axis=1)
    faces = surface.vertices_mm[surface.faces]
    axes.add_collection3d(
        Poly3DCollection(
            faces, facecolors=np.clip(shade[:, None] * colour, 0, 1), antialiaseds=False
        )
    )
    low, high = surface.vertices_mm.min(axis=0), surface.vertices_mm.max(axis=0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(high - low)
    axes.view_init(12, 80)
    axes.set_axis_off()
    axes.set_title("stl, obj: a closed surface in mm", fontsize=10)


def _draw_contours(axes, phantom, colour) -> None:
    k = int(phantom.mask.labels.sum(axis=(0, 1)).argmax())
    axes.imshow(phantom.volume.values[:, :, k].T, cmap="gray", vmin=-160, vmax=240)
    for ring in outlines(phantom.mask.labels[:, :, k].T):
        rows, columns = np.vstack([ring, ring[:1]]).T
        axes.plot(columns, rows, color=colour, linewidth=1.5)
    axes.invert_yaxis()
    axes.invert_xaxis()
    axes.set_axis_off()
    axes.set_title("dicom_rtstruct: contours on each image", fontsize=10)


if __name__ == "__main__":
    main()
