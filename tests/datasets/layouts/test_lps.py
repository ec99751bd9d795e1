"""A volume in any axis order is reoriented to LPS."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import ORDERS, Order, reordered
from rma_mamba.datasets.layouts.lps import to_lps
from rma_mamba.volume import Geometry, Volume

_TURNED = np.array([[0.9, 0.1, 0, 5], [-0.1, 1.9, 0.2, -7], [0, -0.1, 3, 11], [0, 0, 0, 1]])


@given(order=st.sampled_from(ORDERS))
@pytest.mark.parametrize("affine", [np.diag([1.0, 2, 3, 1]), _TURNED], ids=["straight", "oblique"])
def test_all_axis_orders_give_the_same_volume(order: Order, affine: np.ndarray) -> None:
    values = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    volume = Volume(values, Geometry(values.shape, affine))
    expected, found = to_lps(volume), to_lps(reordered(volume, order))
    assert expected.geometry.orientation == "LPS"
    assert np.array_equal(found.values, expected.values)
    assert found.geometry.matches(expected.geometry, 1e-9)
    # every voxel keeps its position in the patient
    place = volume.geometry.affine @ (2, 1, 3, 1)
    i, j, k = np.rint(np.linalg.solve(found.geometry.affine, place)[:3]).astype(int)
    assert found.values[i, j, k] == values[2, 1, 3]
