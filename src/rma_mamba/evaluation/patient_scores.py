"""Scores patient by patient, through the same road from scan to mask that a user takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rma_mamba.datasets.cases import case_files, read_slice, read_volume
from rma_mamba.datasets.config import DataConfig, Side, SourceConfig
from rma_mamba.evaluation.case_scores import CaseName, CaseScore, score_case
from rma_mamba.metrics import dice

if TYPE_CHECKING:  # torch, which the scores of given masks do without
    from rma_mamba.inference import Segmenter


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
        cases: All scores of each volume or slice.
    """

    source: str
    patient: str
    dice: float
    scored: int
    reference_ml: float
    found_ml: float
    false_ml: float
    group: str
    cases: tuple[CaseScore, ...] = ()


def score_patients(
    segmenter: Segmenter, data: DataConfig, side: Side = "test", *, method: str = "default"
) -> Iterator[PatientScore]:
    """Scores of all patients on one side of the split, source by source.

    Args:
        segmenter: The network.
        data: Where the patients are.
        side: Which of them.
        method: Name of the network among the scores.

    Raises:
        ConfigError, ScanError, GridError: Data cannot be read or does not fit together.
    """
    for source in data.sources:
        score = _score_volumes if source.kind == "volumes" else _score_slices
        for patient, files in case_files(data, source, side).items():
            yield score(segmenter, data, source, patient, files, method)


def score_segmenter(
    segmenter: Segmenter, data: DataConfig, side: Side = "test", *, method: str = "default"
) -> list[CaseScore]:
    """All scores of all volumes and slices on one side of the split; as `score_patients`."""
    patients = score_patients(segmenter, data, side, method=method)
    return [case for patient in patients for case in patient.cases]


def _score_volumes(
    segmenter: Segmenter,
    data: DataConfig,
    source: SourceConfig,
    patient: str,
    files: list[Path],
    method: str,
) -> PatientScore:
    cases, false_ml = [], 0.0
    for path in files:
        volume, labels = read_volume(data, source, path)
        found = segmenter(volume).mask.labels
        name = CaseName(method, source.name, source.summed_as, patient, _case(data, source, path))
        cases.append(score_case(name, labels, found, volume.geometry))
        order = volume.geometry.canonical
        empty = ~order.apply(labels).any(axis=(1, 2))
        false_ml += float(order.apply(found)[empty].sum()) * volume.geometry.voxel_volume_ml
    volumes = [case.volume for case in cases if case.volume is not None]
    return PatientScore(
        source.name,
        patient,
        float(np.mean([each.dice for each in volumes])),
        len(volumes),
        sum(each.reference_ml for each in volumes),
        sum(each.found_ml for each in volumes),
        false_ml,
        source.summed_as,
        tuple(cases),
    )


def _score_slices(
    segmenter: Segmenter,
    data: DataConfig,
    source: SourceConfig,
    patient: str,
    files: list[Path],
    method: str,
) -> PatientScore:
    scores, cases, false_finds = [], [], 0
    for path in files:
        volume, labels = read_slice(data, source, path)
        found = segmenter(volume, modality="MR").mask.labels  # 8-bit grey values, CT as well
        name = CaseName(method, source.name, source.summed_as, patient, _case(data, source, path))
        cases.append(score_case(name, labels, found, volume.geometry, single_slice=True))
        if labels.any():
            scores.append(dice(labels, found))
        else:
            false_finds += bool(found.any())
    nan = float("nan")
    return PatientScore(
        source.name,
        patient,
        float(np.mean(scores)) if scores else nan,
        len(scores),
        nan,
        nan,
        float(false_finds),
        source.summed_as,
        tuple(cases),
    )


def _case(data: DataConfig, source: SourceConfig, path: Path) -> str:
    """An image's name below the folder of its source, without its ending."""
    name = path.relative_to(Path(data.root) / source.images)
    return str(name.with_name(name.name.removesuffix(".gz").rpartition(".")[0]))
