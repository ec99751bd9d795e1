"""Example slices for a figure: image, reference, and the mask of each network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.conventions import Postprocessing
from rma_mamba.datasets.config import DataConfig, SourceConfig
from rma_mamba.datasets.labelled_images import read_slice, read_volume
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.evaluation import CaseScore
from rma_mamba.inference import Segmenter
from rma_mamba.slicing import IntensityScale, SliceRecipe, calibrated
from rma_mamba.volume import Volume

Image = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PanelRow:
    """One axial slice in radiological orientation: viewed from inferior, anterior at the top.

    Args:
        title: Label of the slice.
        image: Intensities [height, width], scaled to [0, 1].
        reference: Reference mask of the same shape.
        found: Mask of each method, of the same shape.
        aspect: Height of a pixel divided by its width.
    """

    title: str
    image: Image
    reference: Pixels
    found: Mapping[str, Pixels]
    aspect: float


def make_panel(
    weights: Mapping[str, Path],
    data: DataConfig,
    cases: Sequence[CaseScore],
    group: str,
    patients: int,
    postprocessing: Postprocessing = "standard",
) -> list[PanelRow]:
    """The slice with the largest liver area of each patient with the largest differences between networks.

    Args:
        weights: Weights file of each method.
        data: Data sources of the cases.
        cases: Scores of all methods.
        group: Group of sources to choose patients from.
        patients: Number of patients.
        postprocessing: What is removed from the masks.
    """
    selected = _by_disagreement(cases, group)[:patients]
    files = SourceFiles(data)
    scans = [_scan(files, source, patient) for source, patient in selected]
    segmenters = {
        method: Segmenter.load(path, postprocessing=postprocessing)
        for method, path in weights.items()
    }
    return [
        _row(f"patient {patient}", scan, reference, segmenters)
        for (_, patient), (scan, reference) in zip(selected, scans, strict=True)
    ]


def _by_disagreement(cases: Sequence[CaseScore], group: str) -> list[tuple[str, str]]:
    """Source and patient of all cases, sorted by decreasing range of the Dice over methods.

    Of several runs of a method, the first counts, which is the one that is shown.
    """
    dices: dict[tuple[str, str], list[float]] = {}
    shown: dict[str, int | None] = {}
    for case in cases:
        if case.group == group and shown.setdefault(case.method, case.run) == case.run:
            values = [each.values["dice"] for each in case.slices if each.has_liver]
            if case.volume is not None:
                values = [case.volume.dice]
            dices.setdefault((case.source, case.patient), []).extend(values)
    return sorted(dices, key=lambda key: (-np.ptp(dices[key]) if dices[key] else 0.0, key))


def _scan(files: SourceFiles, name: str, patient: str) -> tuple[Volume, npt.NDArray[Any]]:
    source: SourceConfig = next(each for each in files.config.sources if each.name == name)
    path = files.images(source, "test")[patient][0]
    return (read_volume if source.kind == "volumes" else read_slice)(files, source, path)


def _row(
    title: str,
    scan: Volume,
    reference: npt.NDArray[Any],
    segmenters: Mapping[str, Segmenter],
) -> PanelRow:
    order = scan.geometry.canonical
    upright = order.apply(reference)
    number = int(upright.sum(axis=(1, 2)).argmax())
    shown = calibrated(scan)
    scale = IntensityScale.of_volume(shown, SliceRecipe())
    found = {
        method: order.apply(segmenter(scan, modality=scan.modality).mask.labels)[number] > 0
        for method, segmenter in segmenters.items()
    }
    image = scale.apply(np.asarray(order.apply(shown.values)[number]))
    spacing_mm = scan.geometry.in_canonical_order.spacing_mm
    return PanelRow(title, image, upright[number] > 0, found, spacing_mm[1] / spacing_mm[2])
