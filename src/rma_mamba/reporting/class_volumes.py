"""Volume and number of components of each class of a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import scipy

from rma_mamba.volume import Mask

_CONNECTIVITY = np.ones((3, 3, 3), bool)  # faces, edges and corners


@dataclass(frozen=True)
class ClassVolume:
    """Measurements of one class.

    Args:
        name: Name of the class.
        volume_ml: Voxel-count volume in mL, with the regions inside it.
        components: Number of connected components: of a tumour class, the lesions.
        largest_ml: Volume of the largest component in mL; 0.0 if there is none.
    """

    name: str
    volume_ml: float
    components: int
    largest_ml: float

    @property
    def line(self) -> str:
        """The class in one line."""
        parts = "component" if self.components == 1 else "components"
        return f"{self.name}: {self.volume_ml:.1f} mL in {self.components} {parts}"


def class_volumes(mask: Mask) -> tuple[ClassVolume, ...]:
    """Measurements of each class; empty for a mask of the liver alone."""
    if mask.classes is None:
        return ()
    scheme, voxel_ml = mask.classes.scheme, mask.geometry.voxel_volume_ml
    found = []
    for name in scheme.names:
        where = scheme.in_class(mask.classes.values, name)
        components, count = scipy.ndimage.label(where, structure=_CONNECTIVITY)
        sizes = np.bincount(components[where], minlength=count + 1)[1:]
        largest = float(sizes.max(initial=0)) * voxel_ml
        found.append(ClassVolume(name, float(sizes.sum()) * voxel_ml, int(count), largest))
    return tuple(found)


def class_record(found: Sequence[ClassVolume]) -> dict[str, dict[str, dict[str, float]]]:
    """The field `classes` of JSON files: measurements by class name; nothing for the liver alone."""
    if not found:
        return {}
    named = {each.name: {k: v for k, v in asdict(each).items() if k != "name"} for each in found}
    return {"classes": named}
