"""Training cases: the slices of one patient on the network's canvas, with their labels, in 8 bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from rma_mamba.datasets.cache import Arrays, cached, fingerprint
from rma_mamba.datasets.canvas_arrays import phantom_arrays, slice_arrays, volume_arrays
from rma_mamba.datasets.config import DataConfig, SourceConfig
from rma_mamba.datasets.labelled_images import Grey
from rma_mamba.datasets.phantom import shape_files
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import Split
from rma_mamba.errors import ConfigError, GridError, ScanError
from rma_mamba.label_scheme import LabelScheme

# Settings of a source that its arrays depend on.
_ARRAY_SETTINGS = {
    "channels",
    "classes",
    "kind",
    "liver",
    "modality",
    "pixel_mm",
    "quarter_turns",
    "resample",
    "mirrored_at_random",
    "window_hu",
}


@dataclass(frozen=True, eq=False)
class Case:
    """Slices of one patient.

    Args:
        source: Name of the source.
        patient: Patient ID within the dataset.
        images: uint8 [slice, height, width] on the network's canvas, from inferior to superior if ordered; of a case
            with several scans, [slice, channel, height, width], black where the case lacks a channel.
        labels: Bit n is set where class n is, [slice, height, width]; with the liver alone, 1 where it is.
        ordered: Whether consecutive slices are adjacent in the patient.
        weight: Sampling weight of the source.
        tissues: Label values of all labelled organs, 0 elsewhere, shape of `labels`; None: only the liver is labelled.
        gap_mm: Slice spacing; None: unknown.
        hounsfield: Whether the grey levels are Hounsfield units in the recipe's window.
        classes: Number of classes.
        present: For each channel, whether the case has it; empty: single scans.
    """

    source: str
    patient: str
    images: Grey
    labels: Grey
    ordered: bool
    weight: float = 1.0
    tissues: Grey | None = None
    gap_mm: float | None = None
    hounsfield: bool = False
    classes: int = 1
    present: tuple[bool, ...] = ()

    @property
    def scans(self) -> int:
        """Number of scans in `images`: channels of the network, or one."""
        return max(1, len(self.present))


def read_cases(data: DataConfig | SourceFiles, split: Split) -> list[Case]:
    """All cases of one split: source by source, in the order of their file names.

    Args:
        data: Data settings, or a `SourceFiles` that several calls share, so that folders are listed only once.
        split: train, val or test.

    Raises:
        ConfigError: A folder is missing or contains no images, a file name does not match the patient pattern, or
            no label of a source contains liver.
        DataError: A patient is in two splits.
        ScanError: A file cannot be read.
        GridError: An image and its label are on different grids.
    """
    files = data if isinstance(data, SourceFiles) else SourceFiles(data)
    files.check_leakage()
    cases = []
    for source in files.config.sources:
        found = list(_source_cases(files, source, split))
        if found:
            _check_classes(source, found, split, files.config.recipe.labels)
        cases += found
    return cases


def phantom_cases(config: DataConfig) -> list[Case]:
    """The phantoms of a recipe, with CT and MR contrasts in turn."""
    cases = []
    livers = _liver_shapes(config)
    for number in range(config.phantoms.count):
        key = {"phantom": number, "recipe": config.recipe.model_dump(mode="json")}
        liver = livers[number % len(livers)] if livers else None
        if liver is not None:
            key["liver"] = fingerprint([liver])
        arrays = cached(config.cache, key, partial(phantom_arrays, config.recipe, number, liver))
        cases.append(_case("phantom", str(number), arrays, True, config.phantoms.weight))
    return cases


def _liver_shapes(config: DataConfig) -> list[Path]:
    if config.phantoms.liver_shapes is None or not config.phantoms.count:
        return []
    found = shape_files(Path(config.root) / config.phantoms.liver_shapes)
    if not found:
        raise ConfigError(
            f"no NIfTI file in '{config.phantoms.liver_shapes}'; expected masks of livers. "
            "Check data.root and data.phantoms.liver_shapes."
        )
    return found


def _source_cases(files: SourceFiles, source: SourceConfig, split: Split) -> Iterator[Case]:
    make = volume_arrays if source.kind == "volumes" else slice_arrays
    for patient, images in files.images(source, split).items():
        labels = [files.label(source, path) for path in images]
        key = {
            "files": fingerprint([*files.files_of(source, images), *labels]),
            "recipe": files.config.recipe.model_dump(mode="json"),
            "source": source.model_dump(mode="json", include=_ARRAY_SETTINGS),
        }
        with _name_patient_in_errors(source, patient):
            arrays = cached(files.config.cache, key, partial(make, files, source, images))
        ordered = source.ordered or (source.kind == "volumes" and len(images) == 1)
        case = _case(source.name, patient, arrays, ordered, source.weight)
        yield replace(case, classes=len(files.config.recipe.labels))


def _check_classes(
    source: SourceConfig, cases: Sequence[Case], split: Split, scheme: LabelScheme
) -> None:
    """Check that every class that a source has occurs in at least one label."""
    present = np.bitwise_or.reduce([np.bitwise_or.reduce(case.labels, axis=None) for case in cases])
    for number, (name, values) in enumerate(source.class_values(scheme).items()):
        rare = split != "train" and number > 0  # few patients may have no tumour
        if values and not rare and not present >> number & 1:
            setting = "liver" if scheme.is_liver_only else "classes"
            raise ConfigError(
                f"source {source.name}: no label of the {split} split contains {name} (value "
                f"{', '.join(map(str, values))}); expected {name} in at least one. Check 'labels' and '{setting}'."
            )


@contextmanager
def _name_patient_in_errors(source: SourceConfig, patient: str) -> Iterator[None]:
    """Add source and patient to an error, so that the file can be found among hundreds."""
    try:
        yield
    except (ScanError, GridError) as error:
        what = str(error).removeprefix(f"source {source.name}: ")
        raise type(error)(f"source {source.name}, patient {patient}: {what}") from error


def _case(source: str, patient: str, arrays: Arrays, ordered: bool, weight: float) -> Case:
    gap = arrays.get("gap_mm")
    return Case(
        source,
        patient,
        arrays["images"],
        arrays["labels"],
        ordered,
        weight,
        arrays.get("tissues"),
        None if gap is None else float(gap),
        bool(arrays.get("hounsfield", False)),
        present=tuple(bool(each) for each in arrays.get("present", ())),
    )
