"""The scores of one case under both protocols: per volume, and per slice as in the paper."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from rma_mamba.evaluation.class_scores import ClassScore
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

# What was removed from a mask before it was scored; "as given": the mask was read from a file.
MaskPostprocessing = Literal["standard", "none", "as given"]
Squares = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SliceScore:
    """Scores of one axial slice under the paper's protocol, at 256 x 256 pixels.

    Args:
        number: Slice number, counted from 0 at the inferior end.
        empty: Which of the two masks is empty in this slice.
        values: Metrics as returned by `paper_per_slice`.
    """

    number: int
    empty: EmptyCase
    values: dict[str, float]

    @property
    def has_liver(self) -> bool:
        """Whether the reference contains liver in this slice."""
        return self.empty in ("neither", "prediction")


@dataclass(frozen=True)
class CaseName:
    """Identification of a prediction and its case.

    Args:
        method: Name of the method that made the prediction.
        source: Name of the data source.
        group: Group of sources that tables summarise together.
        patient: Identifier of the patient; equal identifiers within a group mean the same person.
        case: Name of the case; unique together with source and patient.
        run: Training run of the method, by its random seed; None: the method has one run.
    """

    method: str
    source: str
    group: str
    patient: str
    case: str
    run: int | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class CaseScore(CaseName):
    """Scores of one prediction for one case.

    Args:
        volume: Scores on the scan's own grid; None for a single slice, which has no volume.
        slices: Scores of the slices under the paper's protocol, from inferior to superior.
        postprocessing: What was removed from the mask that `volume` scores.
        slice_postprocessing: What was removed from the masks that `slices` score.
        classes: Scores of each class; empty if the liver alone is scored.
    """

    volume: VolumeScore | None
    slices: tuple[SliceScore, ...]
    postprocessing: MaskPostprocessing = "as given"
    slice_postprocessing: MaskPostprocessing = "as given"
    classes: tuple[ClassScore, ...] = ()


def score_case(
    name: CaseName,
    reference: AnyMask,
    prediction: AnyMask,
    geometry: Geometry,
    *,
    single_slice: bool = False,
    squares: Squares | None = None,
    postprocessing: MaskPostprocessing = "as given",
) -> CaseScore:
    """Score a prediction against its reference under both protocols.

    Args:
        name: Identification of the prediction.
        reference, prediction: Masks [i, j, k] on the same grid; foreground is > 0.
        geometry: The grid of both masks.
        single_slice: Whether the case is a single 2-D image, for which volume metrics are meaningless.
        squares: The raw threshold of a network at 256 x 256 pixels, as `Segmentation.squares`, which the paper's
            protocol scores; None: the slices of `prediction`.
        postprocessing: What was removed from `prediction`.

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
    return CaseScore(
        **asdict(name),
        volume=volume,
        slices=score_slices(reference, prediction, geometry, squares),
        postprocessing=postprocessing,
        slice_postprocessing=postprocessing if squares is None else "none",
    )


def score_slices(
    reference: AnyMask, prediction: AnyMask, geometry: Geometry, squares: Squares | None = None
) -> tuple[SliceScore, ...]:
    """Scores of all axial slices under the paper's protocol; rows run to posterior, columns to the left."""
    order = geometry.canonical
    found_slices = order.apply(prediction) if squares is None else squares
    pairs = zip(order.apply(reference), found_slices, strict=True)
    scores = []
    for number, (true, found) in enumerate(pairs):
        true, found = to_paper_size(true), to_paper_size(found)
        scores.append(SliceScore(number, overlap(true, found).empty, paper_per_slice(true, found)))
    return tuple(scores)
