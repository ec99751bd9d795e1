"""Scores patient by patient, through the same road from scan to mask that a user takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rma_mamba.datasets.cases import case_files, read_slice, read_volume
from rma_mamba.datasets.config import DataConfig, Side, SourceConfig
from rma_mamba.inference import Segmenter
from rma_mamba.metrics import dice


@dataclass(frozen=True)
class PatientScore:
    """One patient of one source.

    Args:
        source: Name of the source.
        patient: Number inside its cohort.
        dice: Of a volume, over all its voxels on its own grid; of slices, the mean over those with liver.
        scored: Volumes or slices behind it.
        reference_ml: Liver in the reference, in mL (volumes; else NaN).
        found_ml: Liver in the mask, in mL (volumes; else NaN).
        false_ml: Found in slices without liver, in mL (volumes); of slices, their number with a find.
        group: Sources that tables sum up together.
    """

    source: str
    patient: str
    dice: float
    scored: int
    reference_ml: float
    found_ml: float
    false_ml: float
    group: str


def score_patients(
    segmenter: Segmenter, data: DataConfig, side: Side = "test"
) -> Iterator[PatientScore]:
    """Scores of all patients on one side of the split, source by source.

    Raises:
        ConfigError, ScanError, GridError: Data cannot be read or does not fit together.
    """
    for source in data.sources:
        score = _score_volumes if source.kind == "volumes" else _score_slices
        for patient, files in case_files(data, source, side).items():
            yield score(segmenter, data, source, patient, files)


def _score_volumes(
    segmenter: Segmenter, data: DataConfig, source: SourceConfig, patient: str, files: list[Path]
) -> PatientScore:
    scores, volumes = [], np.zeros(3)
    for path in files:
        volume, labels = read_volume(data, source, path)
        found = segmenter(volume).mask.labels
        scores.append(dice(found, labels))
        order = volume.geometry.canonical
        empty = ~order.apply(labels).any(axis=(1, 2))
        counts = labels.sum(), found.sum(), order.apply(found)[empty].sum()
        volumes += np.array(counts, float) * volume.geometry.voxel_volume_ml
    reference_ml, found_ml, false_ml = volumes.tolist()
    mean, group = float(np.mean(scores)), source.summed_as
    return PatientScore(
        source.name, patient, mean, len(scores), reference_ml, found_ml, false_ml, group
    )


def _score_slices(
    segmenter: Segmenter, data: DataConfig, source: SourceConfig, patient: str, files: list[Path]
) -> PatientScore:
    scores, false_finds = [], 0
    for path in files:
        volume, labels = read_slice(data, source, path)
        found = segmenter(volume, modality="MR").mask.labels  # 8-bit grey values, CT as well
        if labels.any():
            scores.append(dice(found, labels))
        else:
            false_finds += bool(found.any())
    mean = float(np.mean(scores)) if scores else float("nan")
    nan, group = float("nan"), source.summed_as
    return PatientScore(
        source.name, patient, mean, len(scores), nan, nan, float(false_finds), group
    )
