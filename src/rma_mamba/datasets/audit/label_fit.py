"""Labels that do not fit their image: mirrored, turned, of another patient, or anywhere.

Two judges are heard. **Edges**: the intensities just inside a label's border differ from those just outside; their
distance is the total variation of the two distributions, 0 (the same) to 1. On the public scans used in development
(CHAOS, BTCV, LiTS, MSD, CURVAS; 325 cases) it was at least 0.31 for every label, and 0.65 in the median. Mirrored and
turned labels had 0.54 less in the median; at least 0.06 less in cases of three and more slices, and from 0.86 less to
0.05 more in cases of one or two. **The network**: Dice of the label and the bundled network's liver.

An error needs a label that is clearly better than the one at hand, or both judges. A low Dice alone is a warning: the
network may be wrong.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rma_mamba import metrics
from rma_mamba.datasets.audit.case_audit import CaseFacts
from rma_mamba.datasets.audit.findings import Finding, Level
from rma_mamba.datasets.audit.sketch import Bits, Sketch, Voxels

_BINS, _LEVELS = 16, 256  # of intensities; levels of a sketch
_SHARES = np.linspace(0, 1, _BINS + 1)[1:-1]  # of voxels below the limits of the bins
_FEWEST_VOXELS = 30
_FAINT = 0.22  # edge distance of a label that follows no edges
_CLEARER = 0.12  # gain in edge distance of a label that fits better ...
_CLEAR = 0.3  # ... and the distance that it must reach
_BETTER, _GOOD = 0.08, 0.7  # the same for the Dice of the network
_POOR = 0.5  # Dice of a gross disagreement
_RELIABLE, _FEWEST_CASES = 0.75, 4  # median Dice of cases from which on the network is believed
_ALL_PAIRS = 40  # cases, up to which every label is tried on every image
_DOUBTFUL = 0.6  # of the median edge distance; a label with more needs a larger gain to be replaced
_CERTAIN = 3 * _CLEARER
_FEW_SLICES = 2  # a case of so few slices has little border: chance is larger, and so are the gains
_CLEARER_OF_FEW, _BETTER_OF_FEW = 2 * _CLEARER, 3 * _BETTER

_AXES = ("left and right", "anterior and posterior", "superior and inferior")


@dataclass(frozen=True)
class Placement:
    """A symmetry of the grid: mirrored axes, and whether columns and rows are exchanged."""

    mirrored: tuple[int, ...]
    turned: bool = False

    def of_voxels(self, voxels: Voxels, shape: tuple[int, ...]) -> Voxels:
        """The voxels [3, n] after the symmetry."""
        moved = voxels[[1, 0, 2]] if self.turned else voxels.copy()
        for axis in self.mirrored:
            moved[axis] = shape[axis] - 1 - moved[axis]
        return moved

    def of_label(self, label: Bits) -> Bits:
        """A label [i, j, k] after the symmetry."""
        moved = label.transpose(1, 0, 2) if self.turned else label
        return np.flip(moved, self.mirrored)

    @property
    def text(self) -> str:
        """What is wrong with a label that fits after the symmetry."""
        if self.turned or len(self.mirrored) > 1:
            return "turned or mirrored against the image"
        return f"mirrored against the image ({_AXES[self.mirrored[0]]} exchanged)"


def misplaced_labels(cases: Sequence[CaseFacts]) -> Iterator[Finding]:
    """Findings about labels of one sequence that do not fit their images; one per case."""
    known = [case for case in cases if case.sketch is not None]
    edges = [_own_edges(case.sketch) for case in known if case.sketch]
    usual = float(np.median([each for each in edges if each is not None] or [0]))
    reliable = network_is_reliable(cases)
    for case, edge in zip(known, edges, strict=True):
        text = _better_placement(case, edge, usual) or _better_patient(case, edge, known, usual)
        found: tuple[Level, str] | None = ("error", text) if text else None
        found = found or _disagreement(case, edge, usual, reliable=reliable)
        if found:
            yield Finding("misplaced label", found[0], found[1], (case.case.name,))


def network_is_reliable(cases: Sequence[CaseFacts]) -> bool:
    """Whether the network agrees with the labels of most cases of a sequence."""
    dices = [case.network_dice for case in cases if case.network_dice is not None]
    return len(dices) >= _FEWEST_CASES and float(np.median(dices)) >= _RELIABLE


def edge_distance(sketch: Sketch, border: tuple[Voxels, Voxels]) -> float | None:
    """Distance of the intensities inside and outside of a border; None if it has too few voxels.

    Args:
        sketch: Gives the intensities.
        border: Voxels inside and outside, as in `Sketch.border`.
    """
    inside, outside = (sketch.levels[tuple(voxels)] for voxels in border)
    if min(len(inside), len(outside)) < _FEWEST_VOXELS:
        return None
    counts = np.array([np.bincount(each, minlength=_LEVELS) for each in (inside, outside)])
    limits = np.floor(_quantiles(counts.sum(axis=0), _SHARES)).astype(
        np.intp
    )  # last level of each bin
    up_to = counts.cumsum(axis=1)[:, [*limits, _LEVELS - 1]]
    shares = up_to / up_to[:, -1:]
    of_bins = shares[0] - shares[1]
    of_bins[1:] -= of_bins[:-1].copy()
    return float(np.abs(of_bins).sum() / 2)


def _quantiles(
    counts: npt.NDArray[np.intp], at: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Quantiles of levels, linearly interpolated, from the number of voxels at each level."""
    cumulated = counts.cumsum()
    place = at * (cumulated[-1] - 1)
    before = np.floor(place).astype(np.intp)
    low, high = (np.searchsorted(cumulated, each, side="right") for each in (before, before + 1))
    found: npt.NDArray[np.float64] = low + (high - low) * (place - before)
    return found


def placements(shape: tuple[int, ...]) -> list[Placement]:
    """All symmetries of a grid except for the identity."""
    axes = [0, 1, 2] if shape[2] > 1 else [0, 1]
    mirrored = [
        chosen for count in range(len(axes) + 1) for chosen in itertools.combinations(axes, count)
    ]
    turned = (False, True) if shape[0] == shape[1] else (False,)
    return [Placement(each, turn) for turn in turned for each in mirrored if each or turn]


def _own_edges(sketch: Sketch) -> float | None:
    return edge_distance(sketch, sketch.border)


def _better_placement(case: CaseFacts, edge: float | None, usual: float) -> str | None:
    """A sentence if a mirrored or turned label fits the image clearly better."""
    sketch = case.sketch
    assert sketch is not None
    shape = sketch.label.shape
    gain = _needed_gain(_is_doubtful(edge, usual), shape[2])
    for placement in placements(shape):
        inside, outside = (placement.of_voxels(each, shape) for each in sketch.border)
        other = edge_distance(sketch, (inside, outside))
        if _fits_better(case, edge, placement.of_label(sketch.label), other, gain):
            return f"the label is {placement.text}; expected a label that fits. Correct its file."
    return None


def _better_patient(
    case: CaseFacts, edge: float | None, cases: Sequence[CaseFacts], usual: float
) -> str | None:
    """A sentence if the label of another case on the same grid fits the image clearly better."""
    doubtful = _is_doubtful(edge, usual)
    mine = case.sketch
    if mine is None or (len(cases) > _ALL_PAIRS and not doubtful):
        return None
    gain = _needed_gain(doubtful, mine.label.shape[2])
    for other in cases:
        theirs = other.sketch
        same_grid = theirs is not None and (mine.shape, mine.label.shape) == (
            theirs.shape,
            theirs.label.shape,
        )
        if theirs is None or not same_grid or case.case.same_patient(other.case):
            continue
        if _fits_better(case, edge, theirs.label, edge_distance(mine, theirs.border), gain):
            return (
                f"the label of {other.case.name} fits the image clearly better than its own; expected the label of "
                "the same scan. Labels may have been exchanged."
            )
    return None


def _is_doubtful(edge: float | None, usual: float) -> bool:
    return edge is None or edge < max(_CLEAR, _DOUBTFUL * usual)


def _needed_gain(doubtful: bool, slices: int) -> float:
    """By how much another label must fit better: livers of several patients may nearly coincide, and a label that is
    shifted by a voxel fits worse than that of another patient."""
    if not doubtful:
        return _CERTAIN
    return _CLEARER_OF_FEW if slices <= _FEW_SLICES else _CLEARER


def _fits_better(
    case: CaseFacts,
    edge: float | None,
    label: Bits,
    other: float | None,
    gain: float,
) -> bool:
    """Whether another label fits an image clearly better, by its edges, or by the network and not worse by its edges.

    Args:
        case: The case of the image.
        edge: Edge distance of its own label.
        label: The other label.
        other: Its edge distance.
        gain: Smallest difference of the two edge distances.
    """
    if edge is not None and other is not None:
        if other >= max(_CLEAR, edge + gain):
            return True
        if other < edge:
            return False
    if case.network_liver is None or case.network_dice is None:
        return False
    dice = metrics.dice(case.network_liver, label)
    better = _BETTER_OF_FEW if label.shape[2] <= _FEW_SLICES else _BETTER
    return dice >= max(_GOOD, case.network_dice + better)


def _disagreement(
    case: CaseFacts, edge: float | None, usual: float, *, reliable: bool
) -> tuple[Level, str] | None:
    faint = edge is not None and (edge < _FAINT or edge < usual / 2)
    poor = reliable and case.network_dice is not None and case.network_dice < _POOR
    if not faint and not poor:
        return None
    seen = []
    if poor:
        seen.append(f"it disagrees with the bundled network (Dice {case.network_dice:.2f})")
    if faint:
        seen.append("its border follows no edges of the image")
    text = f"the label may not belong to the image: {' and '.join(seen)}."
    return ("error" if faint and poor else "warning"), text
