"""Volumes and grids reoriented to LPS: axes i, j, k run to the left, posterior and superior."""

from __future__ import annotations

from rma_mamba.volume import Geometry, Volume


def to_lps(volume: Volume) -> Volume:
    """The same scan in LPS order; its values are a view."""
    values = volume.geometry.canonical.apply(volume.values).transpose(2, 1, 0)
    channels = {name: to_lps(each) for name, each in volume.channels.items()}
    geometry = lps_geometry(volume.geometry)
    return Volume(values, geometry, volume.modality, None, volume.warnings, channels=channels)


def lps_geometry(geometry: Geometry) -> Geometry:
    """The grid of the same voxels in LPS order."""
    order = geometry.canonical
    affine = geometry.affine.copy()
    shape = []
    for axis, canonical in enumerate((2, 1, 0)):  # of slice, row, column
        stored = order.permutation[canonical]
        column, size = geometry.affine[:3, stored], geometry.shape[stored]
        flip = order.flips[canonical]
        affine[:3, axis] = -column if flip else column
        affine[:3, 3] += column * (size - 1) * flip
        shape.append(size)
    return Geometry((shape[0], shape[1], shape[2]), affine)
