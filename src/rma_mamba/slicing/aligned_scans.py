"""Several scans of one patient as the channels of one case, such as T1 and T2, or the phases of a CT.

A network has one stem for all of them, so that the same voxel must be the same place in each. This is checked by the
geometry of the scans; whether the patient moved between them cannot be seen there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy

from rma_mamba.conventions import GRID_TOLERANCE_MM
from rma_mamba.errors import ConfigError, GridError
from rma_mamba.folder_tree import as_text
from rma_mamba.slicing.recipe import SliceRecipe
from rma_mamba.volume import Geometry, Volume, grid_description

_SAME_SPACING = 1e-3  # relative; more is another spacing, not a rounding error
_SMALLEST_ANGLE = 0.05  # degrees; less is a rounding error
_SMALLEST_OVERLAP = 0.5  # of the first scan's grid that a resampled scan has to cover


@dataclass(frozen=True)
class ChannelNames:
    """How an error message names a scan: its channel and, if there is one, its file.

    Args:
        files: File name of each channel; none for scans in memory.
    """

    files: Mapping[str, str]

    def of(self, channel: str) -> str:
        """The channel, and the file in brackets."""
        return f"{channel} ({self.files[channel]})" if channel in self.files else channel


def joined(
    scans: Mapping[str, Volume],
    files: Mapping[str, str] | None = None,
    *,
    resample: bool = False,
) -> Volume:
    """Scans of one patient as one case: the first of them, with all as its `channels`, on its grid.

    Args:
        scans: The scans by the name of their channel. The first one determines the grid of the mask.
        files: File names for error messages, by channel; None: the scans are in memory.
        resample: Resample the others to the grid of the first by their positions in mm, instead of rejecting them if
            they are on another one.

    Raises:
        GridError: Two scans are not on the same grid; or, to be resampled, hardly overlap.
        ConfigError: There are no scans.
    """
    if not scans:
        raise ConfigError("there is no scan of the case; expected at least one channel. Pass one.")
    names = ChannelNames(files or {})
    first, *others = scans
    reference = replace(scans[first], channels={})
    channels = {first: reference}
    warnings = [_named(first, text) for text in reference.warnings]
    for name in others:
        other = replace(scans[name], channels={})
        channels[name] = _on_grid_of(reference, other, (names.of(first), names.of(name)), resample)
        warnings += [_named(name, text) for text in other.warnings]
    return replace(reference, channels=channels, warnings=tuple(dict.fromkeys(warnings)))


def file_names(paths: Mapping[str, Path]) -> dict[str, str]:
    """How error messages name the files of a case: by their names, with their folders if two names are equal."""
    ambiguous = len({path.name for path in paths.values()}) < len(paths)
    return {
        name: as_text(f"{path.parent.name}/{path.name}" if ambiguous else path.name)
        for name, path in paths.items()
    }


def check_channels(
    volume: Volume, recipe: SliceRecipe, dropout: float | None = None
) -> tuple[str, ...]:
    """Check that a case has channels of the network.

    Args:
        volume: The case, as `joined` returns it, or a single scan.
        recipe: The recipe of the network.
        dropout: Probability with which each channel was left out in training; None: not known.

    Returns:
        A warning about each missing channel.

    Raises:
        ConfigError: The network does not have one of the channels, or the scan is not named as one.
    """
    known, given = recipe.channel_names, [*volume.channels]
    if not known and not given:
        return ()
    if not known:
        raise ConfigError(
            f"the scans are the channels {', '.join(given)} of one case, and the network takes a single scan; expected "
            "a network with these channels. Choose its weights, or pass one scan without a name."
        )
    expected = f"expected scans named {' and '.join(known)}"
    if not given:
        raise ConfigError(
            f"the network takes several scans of a patient as channels, and there is one scan without a name; "
            f"{expected}. Pass each with its name: --channel {known[0]}=SCAN."
        )
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ConfigError(f"the network has no channel {unknown[0]}; {expected}. Correct the name.")
    return tuple(
        f"The channel {name} is missing: the network sees a black image in its place.{_trained(dropout)}"
        for name in known
        if name not in given
    )


def _trained(dropout: float | None) -> str:
    """How a network was prepared for missing channels, as a further sentence."""
    if dropout is None:
        return ""
    if dropout:
        return f" It was trained for that (channel dropout {dropout:g})."
    return (
        " It was trained without channel dropout: unless scans of the training data lacked this channel as well, the "
        "mask is not reliable."
    )


def grid_difference(one: Geometry, other: Geometry) -> str:
    """How a grid differs from another one, in words; both in canonical order."""
    alike = np.allclose(one.spacing_mm, other.spacing_mm, rtol=_SAME_SPACING)
    if one.shape != other.shape or not alike:
        return f"{grid_description(one)} and {grid_description(other)}"
    apart = corner_distance_mm(one, other)
    angle = _angle_degrees(one, other)
    if angle > _SMALLEST_ANGLE:
        return f"rotated by {angle:.1f} degrees, up to {apart:.2f} mm apart"
    shift = (other.affine - one.affine)[:3, 3]
    shown = ", ".join(f"{each:+.2f}" for each in np.round(shift, 2) + 0.0)  # no -0.00
    return f"shifted by ({shown}) mm (right, anterior, superior), up to {apart:.2f} mm apart"


def corner_distance_mm(one: Geometry, other: Geometry) -> float:
    """The largest distance of corresponding corners of two grids of the same shape."""
    corners = np.array(list(itertools.product(*((0, size - 1) for size in one.shape))))
    difference = one.affine - other.affine
    apart = corners @ difference[:3, :3].T + difference[:3, 3]
    return float(np.linalg.norm(apart, axis=1).max())


def _named(channel: str, warning: str) -> str:
    return f"{channel}: {warning}"


def _on_grid_of(reference: Volume, other: Volume, shown: tuple[str, str], resample: bool) -> Volume:
    """A scan on the grid of the reference: as it is, with its axes in another order, or resampled."""
    if other.geometry.matches(reference.geometry):
        return other
    one, two = (each.geometry.in_canonical_order for each in (reference, other))
    if two.matches(one):  # the same voxels, stored in another axis order
        values = reference.geometry.canonical.undo(other.geometry.canonical.apply(other.values))
        return replace(other, values=values, geometry=reference.geometry)
    if resample:
        return _resampled(reference, other, shown)
    raise GridError(
        f"{shown[0]} and {shown[1]} are not aligned: {grid_difference(one, two)}; expected the same grid within "
        f"{GRID_TOLERANCE_MM:g} mm. Register and resample one to the other, or resample it by its position in mm with "
        "--resample (`resample = true` in a source)."
    )


def _resampled(reference: Volume, other: Volume, shown: tuple[str, str]) -> Volume:
    """A scan, linearly interpolated at the positions of the reference's voxels; outside, its darkest value."""
    to_other = np.linalg.inv(other.geometry.affine) @ reference.geometry.affine
    covered = _overlap(reference.geometry.shape, other.geometry.shape, to_other)
    if covered < _SMALLEST_OVERLAP:
        raise GridError(
            f"{shown[1]} covers {covered:.0%} of {shown[0]}; expected at least {_SMALLEST_OVERLAP:.0%}. Check that "
            "both are scans of one patient in one position, or leave one out."
        )
    source = np.nan_to_num(other.values.astype(np.float32, copy=False))
    values = scipy.ndimage.affine_transform(
        source,
        to_other[:3, :3],
        to_other[:3, 3],
        output_shape=reference.geometry.shape,
        order=1,
        mode="constant",
        cval=float(source.min()),
    )
    if other.values.dtype.kind in "iu":
        values = np.rint(values).astype(other.values.dtype)
    return replace(
        other, values=values, geometry=reference.geometry, header=None, source_images=None
    )


def _overlap(
    shape: tuple[int, ...],
    other: tuple[int, ...],
    to_other: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> float:
    """Share of a grid that lies inside another one, at evenly spaced points."""
    steps = [np.linspace(0, size - 1, min(size, 24)) for size in shape]
    points = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3)
    places = points @ to_other[:3, :3].T + to_other[:3, 3]
    inside = (places >= -0.5) & (places <= np.array(other) - 0.5)
    return float(inside.all(axis=1).mean())


def _angle_degrees(one: Geometry, other: Geometry) -> float:
    """The largest angle between corresponding axes."""
    columns = [
        each.affine[:3, :3] / np.linalg.norm(each.affine[:3, :3], axis=0) for each in (one, other)
    ]
    cosines = (columns[0] * columns[1]).sum(axis=0).clip(-1, 1)
    return math.degrees(math.acos(float(cosines.min())))
