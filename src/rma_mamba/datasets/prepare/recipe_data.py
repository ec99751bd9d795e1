"""The `[data]` table of a recipe that reads a prepared folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rma_mamba.datasets.layouts.case_reader import PIXEL_MM
from rma_mamba.datasets.layouts.listing import natural_key
from rma_mamba.datasets.prepare.manifest import Manifest, PreparedCase, channel_folder_name
from rma_mamba.datasets.splits import Split
from rma_mamba.label_scheme import LabelScheme

RECIPE_DATA = "recipe_data.toml"

_VOLUME_PATIENT, _SLICE_PATIENT = r"(.+?)(__\d+)?\.nii", r"(.+?)(__\d+)?_z\d+\.png"


def recipe_data(
    manifest: Manifest, root: Path, folds: int, published: Sequence[Sequence[str]]
) -> str:
    """Root, sources and splits as TOML. The file is a complete recipe; all other settings have their defaults.

    Args:
        manifest: Manifest of the folder.
        root: The folder.
        folds: Number of folds for datasets without a published split; at most one per patient.
        published: Validation patients of each published fold.
    """
    window = ", ".join(f"{each:g}" for each in manifest.ct_window_hu)
    lines = [
        f"# Written by `rma-mamba data prepare` from {manifest.dataset}. A complete recipe with default settings;",
        "# or copy these tables into your own recipe in place of its root, splits and sources.",
        *_labels(manifest.labels),
        "",
        "[data]",
        f"root = {_text(str(root.resolve()))}",
    ]
    if any(case.modality == "CT" for case in manifest.cases):
        lines += ["", "[data.recipe]", f"ct_window_hu = [{window}]"]
    for dataset in dict.fromkeys(case.dataset for case in manifest.cases):
        members = [case for case in manifest.cases if case.dataset == dataset]
        lines += ["", f"[data.splits.{_text(dataset)}]", *_split(members, folds, published)]
    for sequence in dict.fromkeys(case.sequence for case in manifest.cases):
        lines += _source([case for case in manifest.cases if case.sequence == sequence])
    return "\n".join(lines) + "\n"


def _labels(labels: LabelScheme) -> list[str]:
    if labels.is_liver_only:
        return []
    inside = ", ".join(f"{name} = {_text(parent)}" for name, parent in labels.inside.items())
    nested = [f"inside = {{ {inside} }}"] if inside else []
    return ["", "[labels]", f"names = {_list(labels.names)}", *nested]


def file_patient(case: PreparedCase) -> str:
    """The patient ID as recipes read it from the file names."""
    return case.stem.split("__")[0]


def _split(
    cases: Sequence[PreparedCase], folds: int, published: Sequence[Sequence[str]]
) -> Iterator[str]:
    named = {case.patient: file_patient(case) for case in cases}
    val, test = _patients(cases, "val"), _patients(cases, "test")
    unassigned = {case.patient for case in cases if case.split is None}
    if test:
        yield f"test = {_list(test)}"
    if val:
        yield f"val = {_list(val)}"
    elif unassigned and published:
        parts = [_list(named[each] for each in fold if each in named) for fold in published]
        yield f"published = [\n    {', '.join(parts)},\n]"
        yield "fold = 0"
    elif len(unassigned) > 1:
        yield f"folds = {min(folds, len(unassigned))}"
        yield "fold = 0"


def _patients(cases: Sequence[PreparedCase], split: Split) -> list[str]:
    return sorted({file_patient(case) for case in cases if case.split == split}, key=natural_key)


def _source(cases: Sequence[PreparedCase]) -> list[str]:
    first = cases[0]
    volumes = first.kind == "volume"
    lines = [
        "",
        "[[data.sources]]",
        f"name = {_text(first.sequence)}",
        f'kind = "{"volumes" if volumes else "slices"}"',
        f"dataset = {_text(first.dataset)}",
        *_images(cases),
        f"labels = {_text(f'{first.place}/labels')}",
        f"patient = '{_VOLUME_PATIENT if volumes else _SLICE_PATIENT}'",
    ]
    if not volumes:
        assumed = (
            f"pixel_mm = {PIXEL_MM}  # assumed: PNG and JPEG files do not state their pixel size"
        )
        return [*lines, "ordered = true", f"intensity = {_text(first.intensity)}", assumed]
    modalities = {case.modality for case in cases}
    known = len(modalities) == 1 and first.modality is not None
    return [*lines, f"modality = {_text(str(first.modality))}"] if known else lines


def _images(cases: Sequence[PreparedCase]) -> list[str]:
    """The folder of the images, or of each channel; in the order of the case that has most."""
    channels = dict.fromkeys(name for case in _most_channels_first(cases) for name in case.channels)
    if not channels:
        return [f"images = {_text(f'{cases[0].place}/images')}"]
    folders = ", ".join(
        f"{_text(name)} = {_text(f'{cases[0].place}/{channel_folder_name(name)}')}"
        for name in channels
    )
    return [f"channels = {{ {folders} }}"]


def _most_channels_first(cases: Sequence[PreparedCase]) -> list[PreparedCase]:
    return sorted(cases, key=lambda case: -len(case.channels))


def _list(names: Iterable[str]) -> str:
    return json.dumps(list(names), ensure_ascii=False)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
