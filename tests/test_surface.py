import math

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from rma_mamba.surface import surface_of
from rma_mamba.volume import Geometry, Mask

Spacing = tuple[float, float, float]


def ball(radius_mm: float, spacing_mm: Spacing, shift: Spacing = (0.0, 0.0, 0.0)) -> Mask:
    """A ball on a grid that runs to the left, the front and the head."""
    half = [math.ceil(radius_mm / size) + 2 for size in spacing_mm]
    axes = [
        (np.arange(-n, n + 1) + by) * size
        for n, by, size in zip(half, shift, spacing_mm, strict=True)
    ]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    labels = (x**2 + y**2 + z**2 <= radius_mm**2).astype(np.uint8)
    affine = np.diag([-spacing_mm[0], spacing_mm[1], spacing_mm[2], 1.0])
    return Mask(labels, Geometry(labels.shape, affine))


@pytest.mark.parametrize(
    "spacing_mm", [(1.5, 1.5, 1.5), (0.9, 0.9, 2.5), (1.4, 1.4, 6.0), (3.0, 3.0, 3.0), (5.0, 1, 1)]
)
@settings(max_examples=4, deadline=None)
@given(shift=st.tuples(*[st.floats(-0.5, 0.5)] * 3))
def test_a_ball_has_its_area_and_the_masks_volume(spacing_mm: Spacing, shift: Spacing) -> None:
    mask = ball(35, spacing_mm, shift)
    surface = surface_of(mask)
    assert surface.area_mm2 == pytest.approx(4 * math.pi * 35**2, rel=0.02)
    assert surface.volume_ml == pytest.approx(mask.volume_ml, rel=0.005)


def test_a_cube_has_the_area_of_six_faces_less_its_rounded_edges() -> None:
    cube = np.zeros((60, 60, 60), np.uint8)
    cube[5:55, 5:55, 5:55] = 1
    surface = surface_of(Mask(cube, Geometry(cube.shape, np.eye(4))))
    assert 0.96 * 6 * 50**2 < surface.area_mm2 < 6 * 50**2
    assert surface.volume_ml == pytest.approx(125, rel=0.005)
    # in the middle of a face the surface lies where voxels end
    middle = surface.vertices_mm[np.abs(surface.vertices_mm[:, :2] - 29.5).max(axis=1) < 10]
    assert np.abs(np.abs(middle[:, 2] - 29.5) - 25).max() < 0.1


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0.01, 0.9), flip=st.booleans())
def test_the_mesh_of_any_mask_is_closed_with_outward_normals(seed, share, flip) -> None:
    random = np.random.default_rng(seed)
    labels = (random.random((6, 7, 5)) < share).astype(np.uint8)
    labels[3, 3, 3] = 1
    affine = np.array([[1.2, 0.3, 0, 5], [-0.3, 1.1, 0.2, -7], [0.1, 0, 2.5, 11], [0, 0, 0, 1.0]])
    affine[:, 0] *= -1 if flip else 1
    surface = surface_of(Mask(labels, Geometry(labels.shape, affine)))
    mesh = trimesh.Trimesh(surface.vertices_mm, surface.faces, process=False)
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0
    assert surface.volume_ml == pytest.approx(mesh.volume / 1000)
    assert surface.area_mm2 == pytest.approx(mesh.area)


def test_an_oblique_grid_only_rotates_the_mesh() -> None:
    mask = ball(30, (2.0, 2.0, 3.0))
    turn = np.eye(4)
    turn[:3, :3], _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    turn[:3, 3] = (10, -20, 30)
    turned = Mask(mask.labels, Geometry(mask.labels.shape, turn @ mask.geometry.affine))
    one, other = surface_of(mask), surface_of(turned)
    assert other.area_mm2 == pytest.approx(one.area_mm2)
    assert other.volume_ml == pytest.approx(one.volume_ml)
    expected = one.vertices_mm.mean(axis=0) @ turn[:3, :3].T + turn[:3, 3]
    assert np.allclose(other.vertices_mm.mean(axis=0), expected, atol=1e-4)


def test_a_liver_cut_off_by_the_edge_of_the_scan_has_a_closed_mesh() -> None:
    half = ball(40, (2.0, 2.0, 2.0)).labels[:, :, :20]
    surface = surface_of(Mask(half, Geometry(half.shape, np.diag([2.0, 2.0, 2.0, 1.0]))))
    mesh = trimesh.Trimesh(surface.vertices_mm, surface.faces, process=False)
    assert mesh.is_watertight
    edge = (half.shape[2] - 0.5) * 2
    assert surface.vertices_mm[:, 2].max() == pytest.approx(edge, abs=0.5)


def test_an_empty_mask_has_an_empty_surface() -> None:
    labels = np.zeros((4, 5, 6), np.uint8)
    surface = surface_of(Mask(labels, Geometry(labels.shape, np.eye(4))))
    assert (len(surface.vertices_mm), len(surface.faces)) == (0, 0)
    assert (surface.area_mm2, surface.volume_ml) == (0, 0)
