"""The surface of a mask as a mesh file in RAS+ millimetres: binary STL, or OBJ.

Neither format has a field for units or axes. Both are stated in the comment of the file, in the form that
3D Slicer recognises (SPACE=RAS).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from rma_mamba.conventions import SOFTWARE_NAME
from rma_mamba.files import replace_file
from rma_mamba.surface import Surface, surface_of
from rma_mamba.volume import Mask

_COMMENT = f"{SOFTWARE_NAME} liver surface; SPACE=RAS; UNIT=mm"

_OBJ_DECIMALS = 4

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
    """Write an OBJ file, vertices with 4 decimals and shared by their faces; for an empty mask it has no faces.

    The mesh is closed as it is, and remains so in readers that merge equal vertices.

    Raises:
        ScanError: The file cannot be written.
    """
    replace_file(path, _obj(surface_of(mask)).encode(), "mesh")


def _obj(surface: Surface) -> str:
    welded = _welded(surface)
    vertices = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in welded.vertices_mm.tolist()]
    faces = [f"f {a} {b} {c}" for a, b, c in (welded.faces + 1).tolist()]
    return "\n".join([f"# {_COMMENT}", "o liver", *vertices, *faces]) + "\n"


def _welded(surface: Surface) -> Surface:
    """Merge the ends of edges that have no length after rounding, and drop the faces that this leaves without area."""
    points, faces = surface.vertices_mm.round(_OBJ_DECIMALS), surface.faces
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    short = edges[(points[edges[:, 0]] == points[edges[:, 1]]).all(axis=1)]
    ends = coo_array((np.ones(len(short)), short.T), (len(points), len(points)))
    _, merged = connected_components(ends, directed=False)
    _, first, merged = np.unique(merged, return_index=True, return_inverse=True)
    faces = merged[faces]
    valid = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return Surface(points[first], faces[valid])
