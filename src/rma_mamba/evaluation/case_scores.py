"""The scores of one case by both protocols: whoever has a reference and a prediction comes through here."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from rma_mamba.metrics import (
    EmptyCase,
    VolumeScore,
    overlap,
    paper_per_slice,
    score_volume,
    to_paper_size,
)
from rma_mamba.metrics.overlap import AnyMask
from rma_mamba.volume import Geometry


@dataclass(frozen=True)
class SliceScore:
    """One axial slice by the paper's protocol, at 256 x 256 pixels.

    Args:
        number: From 0 at the foot.
        empty: Which of the two masks are empty in it.
        values: What `paper_per_slice` returns.
    """

    number: int
    empty: EmptyCase
    values: dict[str, float]

    @property
    def has_liver(self) -> bool:
        """Whether the reference holds liver here."""
        return self.empty in ("neither", "prediction")


@dataclass(frozen=True)
class CaseName:
    """What scores are filed under.

    Args:
        method: Who predicted.
        source: Where the case is from.
        group: Sources that are summed up together.
        patient: Whose it is; the same name in sources of one group is the same person.
        case: Name of the case; with source and patient it is unique.
    """

    method: str
    source: str
    group: str
    patient: str
    case: str


@dataclass(frozen=True)
class CaseScore(CaseName):
    """One prediction of one case.

    Args:
        volume: On the scan's own grid; None of a single slice, which has no volume.
        slices: By the paper's protocol, from foot to head.
    """

    volume: VolumeScore | None
    slices: tuple[SliceScore, ...]


def score_case(
    name: CaseName,
    reference: AnyMask,
    prediction: AnyMask,
    geometry: Geometry,
    *,
    single_slice: bool = False,
) -> CaseScore:
    """Score a prediction against its reference by both protocols.

    Args:
        name: What the scores are filed under.
        reference, prediction: Masks [i, j, k], labels > 0, on one grid.
        geometry: That grid.
        single_slice: A picture, of which a volume would mean nothing.

    Raises:
        GridError: The shapes differ.
    """
    volume = None
    if not single_slice:
        volume = score_volume(
            reference,
            prediction,
            geometry.spacing_mm,
            voxel_volume_ml=geometry.voxel_volume_ml,
        )
    slices = score_slices(reference, prediction, geometry)
    return CaseScore(**asdict(name), volume=volume, slices=slices)


def score_slices(
    reference: AnyMask, prediction: AnyMask, geometry: Geometry
) -> tuple[SliceScore, ...]:
    """The paper's numbers of every axial slice, upright (rows to the back, columns to the left)."""
    order = geometry.canonical
    pairs = zip(order.apply(reference), order.apply(prediction), strict=True)
    scores = []
    for number, (true, found) in enumerate(pairs):
        true, found = to_paper_size(true), to_paper_size(found)
        scores.append(SliceScore(number, overlap(true, found).empty, paper_per_slice(true, found)))
    return tuple(scores)
