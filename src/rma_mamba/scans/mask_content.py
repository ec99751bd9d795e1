"""What a mask file contains, on the grid of a scan: label values, or structures with names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.conventions import LIVER
from rma_mamba.errors import ConfigError
from rma_mamba.label_scheme import MAX_CLASSES, LabelScheme
from rma_mamba.labels import check_whole, liver_in, liver_in_grey_levels
from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.volume import ClassMap, Geometry

Bits = npt.NDArray[np.bool_]

_MAX_NAME = 40  # characters of a class name
_INSIDE = 0.5  # of a structure: the least share of it that lies in another one, for it to be a region inside


@dataclass(frozen=True, eq=False)
class NamedStructure:
    """A segment or region of interest.

    Args:
        number: Its number in the file.
        name: Its name in the file; "" if it has none.
        is_liver: Whether it is the liver, by its code or its name.
        bits: Where it is (i, j, k).
    """

    number: int
    name: str
    is_liver: bool
    bits: Bits = field(repr=False)


@dataclass(frozen=True, eq=False)
class MaskContent:
    """The content of a mask file.

    Args:
        geometry: The grid: that of the scan, unchanged, if there is one.
        values: Label values (i, j, k) of a label map; None for structures with names.
        structures: Structures with names, which may overlap; none for a label map.
        provenance: How the mask was made, as far as the file states it.
        warnings: Problems found while reading, one sentence each.
        open_axis: As in `Mask`.
        is_image: Whether the values are those of an 8-bit image, in which a structure may be a brightness.
    """

    geometry: Geometry
    values: npt.NDArray[Any] | None = field(default=None, repr=False)
    structures: tuple[NamedStructure, ...] = ()
    provenance: MaskProvenance = field(default_factory=lambda: MaskProvenance(algorithm=None))
    warnings: tuple[str, ...] = ()
    is_image: bool = False
    open_axis: int | None = None

    def liver(self, labels: Sequence[int] = ()) -> Bits:
        """Where the liver is.

        Args:
            labels: Label values, or numbers of structures, of the liver; none: every value above 0, or the structures
                that are the liver by code or name; all of them if there is none.

        Raises:
            ScanError: The values are not labels, or their meaning is ambiguous.
        """
        if self.values is not None and self.is_image and not labels:
            return liver_in_grey_levels(self.values).astype(bool)
        if self.values is not None:
            return liver_in(self.values, labels).astype(bool)
        if labels:
            return self.where(labels)
        named = [each for each in self.structures if each.is_liver]
        return self._union(named or self.structures)

    def where(self, labels: Sequence[int]) -> Bits:
        """Where one of some label values, or one of some structures by number, is.

        Raises:
            ScanError: The values are not labels.
        """
        if self.values is None:
            return self._union(each for each in self.structures if each.number in labels)
        check_whole(self.values)
        return np.isin(np.rint(self.values), list(labels))

    @property
    def is_empty(self) -> bool:
        """Whether there is no label and no structure anywhere."""
        if self.values is not None:
            return not bool((self.values > 0).any())
        return not any(each.bits.any() for each in self.structures)

    def named(self, classes: Mapping[str, Sequence[int]] | None = None) -> dict[str, Bits]:
        """Each structure by the name of a class: those of the file, or classes with their label values.

        Raises:
            ConfigError: There are more than a mask can hold.
        """
        if classes:
            return {name: self.where(values) for name, values in classes.items()}
        found: dict[str, Bits] = {}
        for each in self.structures:
            found[_class_name(each, found)] = each.bits
        if len(found) > MAX_CLASSES:
            numbers = f"{self.structures[0].number} to {self.structures[-1].number}"
            raise ConfigError(
                f"the mask has {len(found)} structures (numbers {numbers}); expected at most {MAX_CLASSES}. "
                "Choose some with --class NAME=NUMBER, or the liver alone with --label NUMBER."
            )
        return found

    def _union(self, structures: Iterable[NamedStructure]) -> Bits:
        bits = np.zeros(self.geometry.shape, bool)
        for each in structures:
            bits |= each.bits
        return bits


def class_map(named: Mapping[str, Bits], voxel_ml: float) -> tuple[ClassMap, tuple[str, ...]]:
    """Structures as one label map, and warnings about what it cannot hold.

    A structure that lies in another one, at least for the most part, is a region inside it. Where other structures
    overlap, the voxel belongs to the smaller one.

    Args:
        named: Where each structure is.
        voxel_ml: Volume of a voxel, for warnings.
    """
    sizes = {name: int(bits.sum()) for name, bits in named.items()}
    order = sorted(named, key=lambda name: -sizes[name])  # regions come after what they lie in
    inside: dict[str, str] = {}
    warnings = []
    for place, name in enumerate(order):
        for other in reversed(order[:place]):  # the smallest one that holds it
            shared = int((named[name] & named[other]).sum())
            if not shared or _is_within(name, other, inside):
                continue
            if shared >= _INSIDE * sizes[name] and name not in inside:
                inside[name] = other
                if changed := sizes[name] - shared:
                    text = f"{changed * voxel_ml:.1f} mL of {name} lie outside {other}, and were added to it."
                    warnings.append(text)
            else:
                text = f"{name} and {other} overlap by {shared * voxel_ml:.1f} mL, which belong to {name} only."
                warnings.append(text)
    scheme = LabelScheme(names=tuple(order), inside=inside)
    values = scheme.map_of(scheme.join([named[name] for name in order]))
    return ClassMap(values, scheme), tuple(warnings)


def _is_within(name: str, other: str, inside: Mapping[str, str]) -> bool:
    """Whether a region lies in another one, directly or through others."""
    parent = inside.get(name)
    return parent is not None and (parent == other or _is_within(parent, other, inside))


def _class_name(structure: NamedStructure, taken: Iterable[str]) -> str:
    """A valid name of a class that is not taken, compared without upper and lower case."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", structure.name).strip("_-").lstrip("0123456789_-")
    name = LIVER if structure.is_liver else name[:_MAX_NAME] or f"structure_{structure.number}"
    lower = {each.lower() for each in taken}
    if name.lower() in lower:
        name = f"{name[: _MAX_NAME - 6]}_{structure.number}"
    return name
