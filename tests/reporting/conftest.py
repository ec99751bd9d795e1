from dataclasses import dataclass

import numpy as np
import pytest

from rma_mamba.volume import Geometry, Mask, Volume


@dataclass(frozen=True)
class Scene:
    volume: Volume
    mask: Mask


def make_scene(*, spacing_mm: tuple[float, float, float] = (2.0, 2.0, 5.0)) -> Scene:
    """An RAS scan of 60x50x24 voxels: a body of water with a brighter box as liver, in HU."""
    values = np.full((60, 50, 24), -1000, dtype=np.int16)
    values[5:55, 5:45] = 0
    labels = np.zeros(values.shape, dtype=np.uint8)
    labels[34:52, 15:40, 8:20] = 1  # the patient's right is high i
    values[labels > 0] = 100
    geometry = Geometry(values.shape, np.diag([*spacing_mm, 1.0]))
    return Scene(Volume(values, geometry, "CT"), Mask(labels, geometry))


@pytest.fixture
def scene() -> Scene:
    return make_scene()
