from pathlib import Path

import numpy as np
import pytest
import trimesh

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.errors import ConfigError
from rma_mamba.scans import write_mask
from rma_mamba.surface import surface_of
from rma_mamba.volume import Geometry, Mask


@pytest.fixture(scope="module")
def liver() -> Mask:
    """A schematic liver on an oblique grid."""
    mask = make_phantom(0, shape=(96, 80, 60), spacing_mm=(4.0, 4.0, 5.0)).mask
    turn = np.eye(4)
    turn[:3, :3], _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    return Mask(mask.labels, Geometry(mask.labels.shape, turn @ mask.geometry.affine))


def uneven_ball() -> Mask:
    """A ball so small that some vertices of its surface are equal after rounding to 0.0001 mm."""
    i, j, k = np.meshgrid(*(np.linspace(-1.2, 1.2, 40),) * 3, indexing="ij")
    labels = (i - 0.03) ** 2 + 1.3 * (j + 0.05) ** 2 + 0.8 * k**2 + 0.4 * i * j + 0.3 * j * k < 0.9
    affine = np.diag([0.0005, 0.0005, 0.0005, 1])
    return Mask(labels.astype(np.uint8), Geometry(labels.shape, affine))


@pytest.mark.parametrize("name", ["liver.stl", "liver.obj", "LIVER.STL"])
def test_a_mesh_is_closed_with_the_volume_and_position_of_the_mask(liver, tmp_path, name) -> None:
    write_mask(liver, tmp_path / name)
    mesh = trimesh.load_mesh(tmp_path / name)
    mesh.merge_vertices()
    assert mesh.is_watertight
    assert mesh.volume / 1000 == pytest.approx(liver.volume_ml, rel=0.02)
    affine = liver.geometry.affine
    centre = np.argwhere(liver.labels).mean(axis=0) @ affine[:3, :3].T + affine[:3, 3]
    assert np.allclose(mesh.center_mass, centre, atol=0.5)  # RAS+ mm


def test_an_stl_stays_closed_if_single_precision_merges_vertices(liver, tmp_path) -> None:
    affine = liver.geometry.affine.copy()
    affine[:3, 3] += 10_000  # far from the origin its steps are coarse
    far = Mask(liver.labels, Geometry(liver.geometry.shape, affine))
    write_mask(far, tmp_path / "a.stl")
    assert trimesh.load_mesh(tmp_path / "a.stl").is_watertight


@pytest.mark.parametrize("merge", [False, True], ids=["as it is", "equal vertices merged"])
def test_an_obj_is_a_closed_mesh_of_shared_vertices(tmp_path: Path, merge: bool) -> None:
    mask = uneven_ball()
    write_mask(mask, tmp_path / "a.obj")
    mesh = trimesh.load_mesh(tmp_path / "a.obj", process=False)
    if merge:
        mesh.merge_vertices()
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert len(mesh.faces) == 2 * len(mesh.vertices) - 4  # Euler: each vertex is stored once
    assert mesh.volume / 1000 == pytest.approx(mask.volume_ml, rel=0.03)
    mesh.update_faces(np.arange(len(mesh.faces)) > 0)
    assert not mesh.is_watertight  # the comparison can fail


def test_the_raw_surface_has_edges_that_vanish_by_rounding() -> None:
    surface = surface_of(uneven_ball())
    points = surface.vertices_mm.round(4)
    assert len(np.unique(points, axis=0)) < len(points)  # or the test above shows nothing


def test_axes_and_unit_are_stated_in_the_file(liver: Mask, tmp_path: Path) -> None:
    for name in ("a.stl", "a.obj"):
        write_mask(liver, tmp_path / name)
        start = (tmp_path / name).read_bytes()[:80]
        assert b"SPACE=RAS; UNIT=mm" in start
        assert not start.startswith(b"solid")  # or readers would take it for text


def test_an_empty_mask_gives_a_mesh_without_faces(tmp_path: Path) -> None:
    empty = Mask(np.zeros((3, 4, 5), np.uint8), Geometry((3, 4, 5), np.eye(4)))
    write_mask(empty, tmp_path / "a.stl")
    write_mask(empty, tmp_path / "a.obj")
    assert len((tmp_path / "a.stl").read_bytes()) == 84
    assert "\nf " not in (tmp_path / "a.obj").read_text()


@pytest.mark.parametrize("kind", [None, "stl", "obj", "nifti", "dicom_seg"])
def test_the_suffix_of_another_format_is_rejected(liver: Mask, tmp_path, kind) -> None:
    with pytest.raises(ConfigError, match="expected"):
        write_mask(liver, tmp_path / "liver.txt", kind)
