"""A scan and its mask as arrays with a geometry in millimetres (RAS+ world coordinates, as in NIfTI).

Nothing here reads files or imports torch. `Geometry` gives the voxel size, the directions of the axes, and the
permutation and flips that bring an array into the canonical orientation, that of the network's input.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from rma_mamba.conventions import GRID_TOLERANCE_MM
from rma_mamba.deprecation import warn_renamed, with_renamed_arguments
from rma_mamba.errors import GridError
from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.source_images import SourceImages

if TYPE_CHECKING:
    from rma_mamba.label_scheme import LabelScheme

Affine = npt.NDArray[np.float64]
Modality = Literal["CT", "MR"]
ModalitySource = Literal["requested", "header", "detected"]

# DICOM and ITK coordinates (LPS+ mm) to those of NIfTI and of this package (RAS+ mm); its own inverse.
LPS_TO_RAS: Affine = np.diag([-1.0, -1.0, 1.0, 1.0])

# World axis (0 right, 1 anterior, 2 superior) and its two directions, in RAS+.
_AXIS_CODES = (("L", "R"), ("P", "A"), ("I", "S"))


@dataclass(frozen=True)
class AxisOrder:
    """How to bring a voxel array into canonical order: permute its axes, then flip some of them.

    Args:
        permutation: For each canonical axis (S, P, L), the voxel axis along it.
        flips: For each canonical axis, whether the voxel axis runs in the opposite direction.
    """

    permutation: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def apply(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """View of `array` (i, j, k) in canonical order: slices superior, rows posterior, columns left."""
        flip = tuple(slice(None, None, -1) if reverse else slice(None) for reverse in self.flips)
        return array.transpose(self.permutation)[flip]

    def undo(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """View of a canonical array in the voxel order (i, j, k): the exact inverse of `apply`."""
        flip = tuple(slice(None, None, -1) if reverse else slice(None) for reverse in self.flips)
        return array[flip].transpose(np.argsort(self.permutation))


@dataclass(frozen=True, eq=False)
class Geometry:
    """Position of the voxels of a grid in patient coordinates.

    Args:
        shape: Number of voxels along i, j, k.
        affine: 4x4 matrix from voxel indices (i, j, k, 1) to RAS+ millimetres, float64.

    Raises:
        GridError: The affine is not 4x4, not finite or singular, or a dimension is not positive.

    Example:
        >>> grid = Geometry((512, 512, 40), np.diag([-0.8, -0.8, 5.0, 1.0]))
        >>> grid.spacing_mm, grid.orientation
        ((0.8, 0.8, 5.0), 'LPS')
    """

    shape: tuple[int, int, int]
    affine: Affine

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise GridError(
                "the affine is not a 4x4 matrix of finite numbers; "
                "expected a voxel-to-millimetre matrix. Correct the scan's header."
            )
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise GridError(
                f"the grid has shape {tuple(self.shape)}; expected three positive dimensions. "
                "Pass one 3-D volume."
            )
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            sizes = np.linalg.norm(affine[:3, :3], axis=0)
            flatness = abs(np.linalg.det(affine[:3, :3] / sizes))
        if not (0 < math.prod(sizes.tolist()) < math.inf and flatness > 1e-6):
            raise GridError(
                f"the voxel axes do not span a volume (spacing {sizes.round(4).tolist()} mm); "
                "expected three independent axes. Correct the scan's header."
            )
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size along i, j, k, in mm."""
        # hypot of sorted magnitudes: the same number for any order and sign of the axes
        columns = np.sort(np.abs(self.affine[:3, :3]), axis=0)
        i, j, k = (math.hypot(*columns[:, axis]) for axis in range(3))
        return i, j, k

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres; exact for oblique and sheared grids as well."""
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000

    @cached_property
    def _world_axes(self) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
        """For each world axis R, A, S: the closest voxel axis, and whether it runs in the opposite direction."""
        columns = self.affine[:3, :3]
        directions = columns / np.linalg.norm(columns, axis=0)

        # At exactly 45 degrees two axes are equally close. Rounding makes this an exact tie, which products of the
        # axes' components then break independently of sign and storage order.
        def closeness(order: tuple[int, ...]) -> tuple[float, ...]:
            along = [abs(directions[world, voxel]) for world, voxel in enumerate(order)]
            lines = [directions[:, voxel] for voxel in order]
            slopes = [line[a] * line[b] for line in lines for a, b in ((0, 1), (0, 2), (1, 2))]
            criteria = (sum(along), *reversed(along), *slopes)
            return tuple(round(float(value), 9) for value in criteria)

        best = max(itertools.permutations(range(3)), key=closeness)
        reverse = tuple(bool(directions[world, voxel] < 0) for world, voxel in enumerate(best))
        return best, reverse  # type: ignore[return-value]

    @property
    def orientation(self) -> str:
        """Three letters: the closest world direction of i, j and k ("RAS", "LPS", ...)."""
        voxel_axes, reverse = self._world_axes
        letters = [""] * 3
        for world, voxel in enumerate(voxel_axes):
            letters[voxel] = _AXIS_CODES[world][0 if reverse[world] else 1]
        return "".join(letters)

    @property
    def canonical(self) -> AxisOrder:
        """Axis order of the network's input, which is the radiological convention.

        Axial slices from inferior to superior, rows from anterior to posterior, columns from right to left.
        """
        (r, a, s), (r_reversed, a_reversed, s_reversed) = self._world_axes
        return AxisOrder((s, a, r), (s_reversed, not a_reversed, not r_reversed))

    @property
    def in_canonical_order(self) -> Geometry:
        """The grid of `canonical.apply(array)`: the same voxels at the same positions, axes S, P, L."""
        order = self.canonical
        shape = tuple(self.shape[axis] for axis in order.permutation)
        to_voxel = np.zeros((4, 4))  # from canonical to stored voxel indices
        to_voxel[3, 3] = 1
        for number, (axis, reverse) in enumerate(zip(order.permutation, order.flips, strict=True)):
            to_voxel[axis, number] = -1 if reverse else 1
            to_voxel[axis, 3] = self.shape[axis] - 1 if reverse else 0
        return Geometry((shape[0], shape[1], shape[2]), self.affine @ to_voxel)

    def matches(self, other: Geometry, tolerance_mm: float = GRID_TOLERANCE_MM) -> bool:
        """Whether two grids are the same: equal shape, and no corner further apart than `tolerance_mm`."""
        if self.shape != other.shape:
            return False
        corners = np.array(list(itertools.product(*((0, size - 1) for size in self.shape))))
        apart = (
            corners @ (self.affine - other.affine)[:3, :3].T + (self.affine - other.affine)[:3, 3]
        )
        return bool(np.abs(apart).max() <= tolerance_mm)


@dataclass(frozen=True, eq=False)
class Volume:
    """A scan: intensities with a geometry.

    Args:
        values: Intensities (i, j, k) of any real type, as in the file; `slicing.calibrated` determines their unit.
        geometry: The grid.
        modality: "CT" or "MR" if stated in the header, else None.
        header: The part of the file's header that a mask inherits.
        warnings: Repairs and suspicious header values, one sentence each, without patient data.
        source_images: The DICOM images from which it was read; None for other formats and arrays.
        channels: All scans of a case with several, by name, on the same grid; this one is the first of them. Empty: the
            case is this scan alone. See `slicing.joined`.
        missing_slices: Indices along k of slices that the series lacks, interpolated from their neighbours.

    Example:
        >>> values = np.zeros((512, 512, 40), np.int16)
        >>> scan = Volume(values, Geometry(values.shape, np.diag([-0.8, -0.8, 5.0, 1.0])), "CT")
    """

    values: npt.NDArray[Any] = field(repr=False)
    geometry: Geometry
    modality: Modality | None = None
    header: Any = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()
    source_images: SourceImages | None = field(default=None, repr=False)
    channels: Mapping[str, Volume] = field(default_factory=dict, repr=False)
    missing_slices: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check_shape(self.values, self.geometry)

    @property
    def source(self) -> SourceImages | None:
        """Deprecated name of `source_images`."""
        warn_renamed("Volume.source", "Volume.source_images")
        return self.source_images


@dataclass(frozen=True, eq=False)
class ClassMap:
    """Several classes on the grid of a mask.

    Args:
        values: uint8 (i, j, k): 0 background, 1 the first class of the scheme, and so on.
        scheme: Names of the classes, and which of them lie inside another one.
    """

    values: npt.NDArray[np.uint8] = field(repr=False)
    scheme: LabelScheme


@dataclass(frozen=True, eq=False)
class Mask:
    """A segmentation on its scan's own grid.

    Args:
        labels: uint8 (i, j, k), 1 where the liver is, else 0.
        geometry: The scan's grid, unchanged.
        header: The scan's header, for the writer.
        source_images: The DICOM images of the scan, for writers that refer to them.
        classes: The classes of a network that segments more than the liver; None: the liver alone.
        provenance: How it was made: by which network, and who corrected it; DICOM objects state it.
        open_axis: The axis of the grid along which the scan may go on, because the mask was read without it: a DICOM
            Segmentation need not contain frames without voxels of it. None: the grid is that of the scan.

    Example:
        >>> mask = Mask(np.ones((10, 10, 10), np.uint8), Geometry((10, 10, 10), np.eye(4)))
        >>> mask.volume_ml
        1.0
    """

    labels: npt.NDArray[np.uint8] = field(repr=False)
    geometry: Geometry
    header: Any = field(default=None, repr=False)
    source_images: SourceImages | None = field(default=None, repr=False)
    classes: ClassMap | None = field(default=None, repr=False)
    provenance: MaskProvenance = field(default_factory=MaskProvenance, repr=False)
    open_axis: int | None = None

    def __post_init__(self) -> None:
        _check_shape(self.labels, self.geometry)
        if self.classes is not None:
            _check_shape(self.classes.values, self.geometry)

    @property
    def source(self) -> SourceImages | None:
        """Deprecated name of `source_images`."""
        warn_renamed("Mask.source", "Mask.source_images")
        return self.source_images

    @property
    def volume_ml(self) -> float:
        """Voxel-count volume of labels > 0 in millilitres (Cavalieri's principle); 0.0 if empty."""
        return int(np.count_nonzero(self.labels)) * self.geometry.voxel_volume_ml


# The constructors also accept the deprecated keyword argument `source`.
for _class in (Volume, Mask):
    _class.__init__ = with_renamed_arguments(source="source_images")(_class.__init__)  # type: ignore[method-assign]


def _check_shape(array: npt.NDArray[Any], geometry: Geometry) -> None:
    if array.shape != geometry.shape:
        raise GridError(
            f"the array has shape {array.shape} and its geometry {geometry.shape}; expected the same shape. "
            "Build the geometry from the array's own shape."
        )


def grid_description(canonical: Geometry) -> str:
    """Size and spacing of a grid in canonical axis order, as right-left, anterior-posterior, inferior-superior."""
    size = " x ".join(map(str, reversed(canonical.shape)))
    spacing = " x ".join(f"{each:.4g}" for each in reversed(canonical.spacing_mm))
    return f"{size} voxels of {spacing} mm"


def different_grids(mask: Geometry, scan: Geometry) -> GridError:
    """The error for a mask that is not on the grid of its scan; both in canonical axis order."""
    return GridError(
        f"the grid of the mask ({_grid_and_centre(mask)}) differs from that of the scan "
        f"({_grid_and_centre(scan)}); expected the same grid. Use the scan from which the mask was made, or "
        "resample the mask with nearest-neighbour interpolation."
    )


def _grid_and_centre(grid: Geometry) -> str:
    """Shape, spacing and centre; axes right to left, anterior to posterior, inferior to superior."""
    middle = grid.affine @ [*((size - 1) / 2 for size in grid.shape), 1]
    centre = ", ".join(f"{value:.4g}" for value in middle[:3])
    return f"{grid_description(grid)} around ({centre}) mm"


def affine_of_itk_image(image: Any) -> Affine:
    """Voxel index to RAS+ mm, of a 3-D image with the interface of SimpleITK (LPS+ mm)."""
    return affine_from_itk(image.GetDirection(), image.GetSpacing(), image.GetOrigin())


def affine_from_itk(
    direction: Sequence[float], spacing_mm: Sequence[float], origin_mm: Sequence[float]
) -> Affine:
    """Voxel index to RAS+ mm, from the nine direction cosines, spacing and origin of ITK (LPS+ mm)."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(direction, (3, 3)) * np.asarray(spacing_mm)
    affine[:3, 3] = origin_mm
    return LPS_TO_RAS @ affine
