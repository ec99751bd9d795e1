"""The surface of a mask as a mesh file in RAS+ millimetres: binary STL, or OBJ.

Neither format has a field for units or axes. Both are stated in the comment of the file, in the form that
3D Slicer recognises (SPACE=RAS).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rma_mamba.conventions import SOFTWARE_NAME
from rma_mamba.files import replace_file
from rma_mamba.surface import Surface, surface_of
from rma_mamba.volume import Mask

_COMMENT = f"{SOFTWARE_NAME} liver surface; SPACE=RAS; UNIT=mm"

_STL_FACE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def write_stl(mask: Mask, path: Path) -> None:
    """Write a binary STL file; for an empty mask it has no faces.

    Raises:
        ScanError: The file cannot be written.
    """
    surface = surface_of(mask)
    corners = surface.vertices_mm.astype(np.float32)[surface.faces]
    # Drop triangles whose corners coincide in single precision; the surface remains closed.
    valid = (corners != np.roll(corners, 1, axis=1)).any(axis=2).all(axis=1)
    faces = np.zeros(int(valid.sum()), _STL_FACE)
    lengths = np.linalg.norm(surface.normals[valid], axis=1, keepdims=True)
    faces["normal"] = surface.normals[valid] / np.where(lengths > 0, lengths, 1)
    faces["corners"] = corners[valid]
    count = np.array([len(faces)], "<u4")
    content = _COMMENT.encode().ljust(80, b" ") + count.tobytes() + faces.tobytes()
    replace_file(path, content, "mesh")


def write_obj(mask: Mask, path: Path) -> None:
    """Write an OBJ file, vertices with 4 decimals; for an empty mask it has no faces.

    Raises:
        ScanError: The file cannot be written.
    """
    replace_file(path, _obj(surface_of(mask)).encode(), "mesh")


def _obj(surface: Surface) -> str:
    vertices = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in surface.vertices_mm.tolist()]
    faces = [f"f {a} {b} {c}" for a, b, c in (surface.faces + 1).tolist()]
    return "\n".join([f"# {_COMMENT}", "o liver", *vertices, *faces]) + "\n"
