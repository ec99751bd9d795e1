"""The label scheme: the classes that a network segments, as exclusive classes or as nested regions.

| representation | of | meaning |
|---|---|---|
| bits | training labels, uint8 | bit n is set where class n is; with one class 0 and 1 |
| map | masks and files, uint8 | n + 1 where class n is; where regions overlap, the one named last |

The liver alone, the default, is a scheme like any other: bits and map are then the same 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from rma_mamba.conventions import LIVER

MAX_CLASSES = 8  # the bits of one byte

ClassName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]
Bytes = npt.NDArray[np.uint8]


class LabelScheme(BaseModel):
    """Classes by name. In a recipe, `[labels]` is short for `[data.recipe.labels]`.

    Without `inside`, classes are exclusive: a voxel has one of them or none. With `inside`, they are regions: a tumour
    inside the liver is liver as well, as LiTS scores it.

    Example:
        >>> scheme = LabelScheme(names=("liver", "tumour"), inside={"tumour": "liver"})
        >>> scheme.values_of("liver"), scheme.values_of("tumour")
        ((1, 2), (2,))
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    names: tuple[ClassName, ...] = Field(default=(LIVER,), min_length=1, max_length=MAX_CLASSES)
    """Names of the classes, such as `["liver", "tumour"]`. The first has the value 1 in label maps, the second 2."""

    inside: dict[str, str] = Field(default={})
    """Regions that lie inside another one, such as `{ tumour = "liver" }`. Empty: classes are exclusive."""

    liver: tuple[str, ...] = ()
    """Classes that together are the liver as an organ, which is measured and reported. Empty: the class `liver` with
    the regions inside it; all classes if there is none of that name."""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if len({name.lower() for name in self.names}) < len(self.names):
            raise ValueError(f"two labels have the same name; expected unique names: {self.names}")
        unknown = {*self.inside, *self.inside.values(), *self.liver} - {*self.names}
        if unknown:
            raise ValueError(f"unknown labels {sorted(unknown)}; expected some of {self.names}")
        for child, parent in self.inside.items():
            if self.names.index(child) <= self.names.index(parent):
                raise ValueError(f"{child} is inside {parent}; expected {parent} before {child}")
        return self

    def __len__(self) -> int:
        return len(self.names)

    @property
    def is_liver_only(self) -> bool:
        """Whether the only class is the liver."""
        return self.names == (LIVER,)

    @property
    def exclusive(self) -> bool:
        """Whether classes exclude each other; else they are regions, each with a probability of its own."""
        return not self.inside

    def values_of(self, *names: str) -> tuple[int, ...]:
        """Values in a label map of the voxels of some classes, with those of all regions inside them."""
        wanted = set(names)
        for name in self.names:  # parents come first
            if self.inside.get(name) in wanted:
                wanted.add(name)
        return tuple(number for number, name in enumerate(self.names, 1) if name in wanted)

    @property
    def liver_values(self) -> tuple[int, ...]:
        """Values in a label map that are part of the liver as an organ."""
        if self.liver:
            return self.values_of(*self.liver)
        return self.values_of(LIVER) if LIVER in self.names else self.values_of(*self.names)

    def in_class(self, label_map: npt.NDArray[Any], name: str) -> npt.NDArray[np.bool_]:
        """Where a label map has a class or a region inside it."""
        return self._selected(label_map, self.values_of(name))

    def liver_in(self, label_map: npt.NDArray[Any]) -> Bytes:
        """1 where a label map has the liver as an organ."""
        return self._selected(label_map, self.liver_values).view(np.uint8)

    def split(self, bits: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Bits of any shape to one array per class [class, ...]."""
        return np.stack([(bits >> number & 1).astype(bool) for number in range(len(self))])

    def join(self, classes: Sequence[npt.NDArray[Any]]) -> Bytes:
        """One array per class (foreground > 0) to bits."""
        bits = np.zeros(classes[0].shape, np.uint8)
        for number, each in enumerate(classes):
            bits |= (each > 0).astype(np.uint8) << number
        return bits

    def map_of(self, bits: npt.NDArray[Any]) -> Bytes:
        """Bits to a label map: where regions overlap, the one named last."""
        values = np.zeros(bits.shape, np.uint8)
        for number in range(len(self)):
            values[bits >> number & 1 > 0] = number + 1
        return values

    def bits_of(self, label_map: npt.NDArray[Any]) -> Bytes:
        """A label map to bits; values that belong to no class become 0."""
        return self.join([self.in_class(label_map, name) for name in self.names])

    def _selected(
        self, label_map: npt.NDArray[Any], values: Sequence[int]
    ) -> npt.NDArray[np.bool_]:
        table = np.zeros(256, bool)
        table[list(values)] = True
        selected: npt.NDArray[np.bool_] = table[label_map]
        return selected
