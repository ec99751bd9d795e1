"""Scores of a network for each patient, from masks computed by the same steps as in normal use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rma_mamba.conventions import SCAN_SUFFIXES, strip_suffix
from rma_mamba.datasets.config import DataConfig, SourceConfig
from rma_mamba.datasets.labelled_images import read_slice, read_volume, stacked
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import Split, parse_split
from rma_mamba.deprecation import with_renamed_arguments
from rma_mamba.errors import ConfigError
from rma_mamba.evaluation.case_scores import CaseName, CaseScore, Squares, score_case
from rma_mamba.evaluation.class_scores import score_classes
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.metrics import PAPER_SIZE, dice
from rma_mamba.shapes import Labels
from rma_mamba.volume import ClassMap, Geometry, Mask, Modality, Volume

if TYPE_CHECKING:  # imports torch, which scoring existing masks does not need
    from rma_mamba.inference import Segmenter

_NAN = float("nan")


@dataclass(frozen=True)
class PatientScore:
    """Scores of one patient in one source.

    Args:
        source: Name of the source.
        patient: Identifier of the patient within its dataset.
        dice: Volumes: Dice of all voxels on the scan's own grid, averaged over the patient's volumes.
            Slices: mean Dice of the liver-containing slices; NaN if there are none.
        scored: Number of volumes or slices over which `dice` is averaged.
        reference_ml: Liver volume in the reference, in mL; NaN for slices.
        found_ml: Liver volume in the prediction, in mL; NaN for slices.
        false_ml: Predicted liver in slices without liver. Volumes: in mL. Slices: number of such slices.
        group: Group of sources that tables summarise together.
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


@with_renamed_arguments(side="split")
def score_patients(
    segmenter: Segmenter, data: DataConfig, split: str = "test", *, method: str = "default"
) -> Iterator[PatientScore]:
    """Score all patients of a split, source by source.

    Args:
        segmenter: The network to evaluate; it is not changed.
        data: Data sources and splits.
        split: "train", "val" or "test".
        method: Name of the network in tables and files.

    Raises:
        ConfigError: There is no such split, it has no patients, or the data settings are inconsistent.
        ScanError, GridError: Data cannot be read or are inconsistent.
    """
    patients_of = parse_split(split)
    files = SourceFiles(data)
    found = _patients_of(files, patients_of)
    for source, patients in found:
        score = _score_volumes if source.kind == "volumes" else _score_slices
        for patient, images in patients.items():
            yield score(_Patient(segmenter, files, source, patient, method), images)


def check_split(data: DataConfig, split: Split) -> None:
    """Check that a split has patients to score, before a network is loaded.

    Raises:
        ConfigError: It has none.
    """
    _patients_of(SourceFiles(data), split)


def _patients_of(
    files: SourceFiles, split: Split
) -> list[tuple[SourceConfig, dict[str, list[Path]]]]:
    """The sources, and the images of their patients in a split that has some."""
    found = [(source, files.images(source, split)) for source in files.config.sources]
    if not any(patients for _, patients in found):
        raise ConfigError(_empty_split(files, split))
    return found


def _empty_split(files: SourceFiles, split: Split) -> str:
    sources = files.config.sources
    others: dict[Split, int] = {
        other: len({(s.dataset, patient) for s in sources for patient in files.images(s, other)})
        for other in ("val", "test")
    }
    for other, count in others.items():
        if count:  # the training patients are no alternative: the network has seen them
            return (
                f"the {split} split has no patients, and the {other} split has {count}; expected at least one. Choose "
                f"it with --split {other}, or name patients under data.splits.DATASET.{split}."
            )
    return (
        f"the {split} split has no patients, and no other split has any to score; expected at least one. Name patients "
        f"under data.splits.DATASET.{split}, or choose other data."
    )


@with_renamed_arguments(side="split")
def score_segmenter(
    segmenter: Segmenter, data: DataConfig, split: str = "test", *, method: str = "default"
) -> list[CaseScore]:
    """All scores of all volumes and slices of a split; arguments and errors as in `score_patients`."""
    patients = score_patients(segmenter, data, split, method=method)
    return [case for patient in patients for case in patient.cases]


@dataclass(frozen=True, eq=False)
class _Patient:
    """A patient to be scored, and the network to score."""

    segmenter: Segmenter
    files: SourceFiles
    source: SourceConfig
    patient: str
    method: str

    def case_name(self, path: Path) -> CaseName:
        """Identification of a case: its path below the source's image folder, without the suffix."""
        name = self.files.case_path(self.source, path)
        case = str(name.with_name(strip_suffix(name.name, SCAN_SUFFIXES)))
        source = self.source
        return CaseName(self.method, source.name, source.group_name, self.patient, case)

    def score(
        self,
        path: Path,
        labels: Labels,
        found: Labels,
        geometry: Geometry,
        squares: Squares | None,
        *,
        classes: npt.NDArray[np.uint8] | None = None,
        single_slice: bool = False,
    ) -> CaseScore:
        """Scores of a case, whose mask has the post-processing of the network.

        Args:
            path: Its image.
            labels: Bits of the reference, as the data settings read them.
            found: The liver in the mask of the network.
            geometry: The grid of both.
            squares: The raw threshold of the network at the paper's size.
            classes: Label map of a network with several classes; None: the liver alone.
            single_slice: Whether the case is a single slice.
        """
        score = score_case(
            self.case_name(path),
            self.liver_in(labels),
            found,
            geometry,
            single_slice=single_slice,
            squares=squares,
            postprocessing=self.segmenter.postprocessing,
        )
        if classes is None or self.labels.is_liver_only:
            return score
        own = self.segmenter.recipe.labels
        true = dict(zip(self.labels.names, self.labels.split(labels), strict=True))
        predicted = {name: own.in_class(classes, name) for name in own.names}
        return replace(score, classes=score_classes(true, predicted, geometry))

    @property
    def labels(self) -> LabelScheme:
        """The classes of the references."""
        return self.files.config.recipe.labels

    def liver_in(self, labels: Labels) -> Labels:
        """1 where the bits of a reference have the liver as an organ."""
        return (
            labels
            if self.labels.is_liver_only
            else self.labels.liver_in(self.labels.map_of(labels))
        )


def _score_volumes(patient: _Patient, files: Sequence[Path]) -> PatientScore:
    cases, false_ml = [], 0.0
    for path in files:
        volume, labels = read_volume(patient.files, patient.source, path)
        result = patient.segmenter(volume, square_side=PAPER_SIZE)
        found = result.mask.labels
        values = None if result.mask.classes is None else result.mask.classes.values
        cases.append(
            patient.score(path, labels, found, volume.geometry, result.squares, classes=values)
        )
        labels = patient.liver_in(labels)
        order = volume.geometry.canonical
        empty = ~order.apply(labels).any(axis=(1, 2))
        false_ml += float(order.apply(found)[empty].sum()) * volume.geometry.voxel_volume_ml
    volumes = [case.volume for case in cases if case.volume is not None]
    return PatientScore(
        source=patient.source.name,
        patient=patient.patient,
        dice=float(np.mean([each.dice for each in volumes])),
        scored=len(volumes),
        reference_ml=sum(each.reference_ml for each in volumes),
        found_ml=sum(each.found_ml for each in volumes),
        false_ml=false_ml,
        group=patient.source.group_name,
        cases=tuple(cases),
    )


def _score_slices(patient: _Patient, files: Sequence[Path]) -> PatientScore:
    dices, cases, false_positives = [], [], 0
    for path, image, labels, mask, squares in _segmented_slices(patient, files):
        found, values = mask.labels, None if mask.classes is None else mask.classes.values
        cases.append(
            patient.score(
                path, labels, found, image.geometry, squares, classes=values, single_slice=True
            )
        )
        labels = patient.liver_in(labels)
        if labels.any():
            dices.append(dice(labels, found))
        else:
            false_positives += bool(found.any())
    return PatientScore(
        source=patient.source.name,
        patient=patient.patient,
        dice=float(np.mean(dices)) if dices else _NAN,
        scored=len(dices),
        reference_ml=_NAN,
        found_ml=_NAN,
        false_ml=float(false_positives),
        group=patient.source.group_name,
        cases=tuple(cases),
    )


def _segmented_slices(
    patient: _Patient, files: Sequence[Path]
) -> Iterator[tuple[Path, Volume, Labels, Mask, Squares | None]]:
    """File, image, reference and mask of each slice, and its raw threshold at the paper's size.

    A network with through-plane context sees ordered slices as one scan. 8-bit images of unknown window are scaled by
    percentiles like MR, even if they show CT.
    """
    source, segmenter = patient.source, patient.segmenter
    modality: Modality | None = None if source.window_hu else "MR"
    read = partial(read_slice, patient.files, source)
    if not source.ordered or segmenter.recipe.through_plane_mm is None:
        for path in files:
            image, labels = read(path)
            result = segmenter(image, modality=modality, square_side=PAPER_SIZE)
            yield path, image, labels, result.mask, result.squares
        return
    slices = [read(path) for path in files]
    scan = stacked([image for image, _ in slices], segmenter.recipe.through_plane_mm)
    result = segmenter(scan, modality=modality, square_side=PAPER_SIZE)
    for number, (path, (image, labels)) in enumerate(zip(files, slices, strict=True)):
        one = slice(number, number + 1)
        squares = None if result.squares is None else result.squares[one]
        yield path, image, labels, _part(result.mask, image.geometry, one), squares


def _part(mask: Mask, geometry: Geometry, slices: slice) -> Mask:
    """Some slices of a mask."""
    classes = mask.classes
    if classes is not None:
        classes = ClassMap(classes.values[:, :, slices], classes.scheme)
    return Mask(mask.labels[:, :, slices], geometry, classes=classes)
