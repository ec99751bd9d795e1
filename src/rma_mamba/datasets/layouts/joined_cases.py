"""Scans of one patient, which a layout lists as cases of their own, joined to cases with several channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rma_mamba.datasets.layouts.index import DatasetIndex, IndexedCase, LayoutFault
from rma_mamba.errors import ConfigError

Group = tuple[str, str, int]  # dataset, patient, and number of the scan among those of its sequence


def with_channels(
    dataset: DatasetIndex, channels: Mapping[str, str], *, resample: bool = False
) -> DatasetIndex:
    """The dataset with the cases of several sequences of a patient joined to one.

    The n-th scan of one sequence belongs to the n-th of the others, and a slice to those of the same file name. Cases
    may lack some of the channels. The label is that of the first channel that the case has. Cases of other sequences
    are left out.

    Args:
        dataset: All cases.
        channels: Name of each channel, and the sequence or nnU-Net channel that it is.
        resample: Resample the scans of a case to the grid of its first.

    Raises:
        ConfigError: The dataset has no such sequence or channel, or one has volumes and another slices.
    """
    known = _known(dataset)
    unknown = [place for place in channels.values() if place.lower() not in known]
    if unknown:
        raise ConfigError(
            f"the dataset has no sequence or channel '{unknown[0]}'; expected one of "
            f"{', '.join(known.values())}. Choose one of these, such as --channel NAME='{next(iter(known.values()))}'."
        )
    places = {name: known[place.lower()] for name, place in channels.items()}
    cases: list[IndexedCase] = []
    faults: list[LayoutFault] = []
    if any(case.further for case in dataset.cases):
        cases = [each for case in dataset.cases if (each := _of_one_case(case, places)) is not None]
    else:
        for group in _groups(dataset.cases, places).values():
            case = _of_several_cases(group, places)
            faults += _split_faults([*group.values()])
            cases.append(case)
    kept = tuple(replace(case, resample=resample) for case in cases)
    used = {path for case in kept for path in case.scans}
    return replace(
        dataset,
        cases=kept,
        notes=(*dataset.notes, f"Channels of a case are {_shown(places)}."),
        faults=(*dataset.faults, *faults),
        set_aside=dataset.set_aside | {p for case in dataset.cases for p in case.files} - used,
    )


def _known(dataset: DatasetIndex) -> dict[str, str]:
    """Sequences or channels of a dataset by their name in lower case."""
    further = [name for case in dataset.cases for name in case.further]
    return {name.lower(): name for name in further or dataset.sequences}


def _of_one_case(case: IndexedCase, places: Mapping[str, str]) -> IndexedCase | None:
    """A case whose layout lists several channels; None if it has none of those that are used."""
    found = {name: case.further[place] for name, place in places.items() if place in case.further}
    if not found:
        return None
    sequence = "-".join(places)
    return replace(case, sequence=sequence, channels=found, images=(next(iter(found.values())),))


def _groups(
    cases: Sequence[IndexedCase], places: Mapping[str, str]
) -> dict[Group, dict[str, IndexedCase]]:
    """The cases of each patient by channel."""
    groups: dict[Group, dict[str, IndexedCase]] = {}
    for name, place in places.items():
        count: dict[tuple[str, str], int] = {}
        for case in cases:
            if case.sequence == place:
                patient = case.dataset, case.patient
                count[patient] = count.get(patient, 0) + 1
                groups.setdefault((*patient, count[patient]), {})[name] = case
    return groups


def _of_several_cases(group: Mapping[str, IndexedCase], places: Mapping[str, str]) -> IndexedCase:
    ordered = {name: group[name] for name in places if name in group}
    first = next(iter(ordered.values()))
    joined = replace(
        first,
        name="+".join(case.name for case in ordered.values()),
        sequence="-".join(places),
    )
    if {case.kind for case in ordered.values()} == {"volume"}:
        return replace(joined, channels={name: each.images[0] for name, each in ordered.items()})
    if first.kind == "slices" and all(case.kind == "slices" for case in ordered.values()):
        return _with_slices(joined, ordered)
    listed = ", ".join(f"{case.kind} in {case.sequence}" for case in ordered.values())
    raise ConfigError(
        f"the channels of a case are of two kinds ({listed.replace('volume', 'volumes')}); expected volumes or slices "
        "in all. Choose other sequences with --channel."
    )


def _with_slices(joined: IndexedCase, cases: Mapping[str, IndexedCase]) -> IndexedCase:
    """The case with the slices of all channels, which belong together by their file names."""
    by_stem: dict[str, dict[str, Path]] = {}
    labels: dict[str, Path | None] = {}
    for name, case in cases.items():
        for image, label in zip(case.images, case.labels, strict=True):
            by_stem.setdefault(image.stem, {})[name] = image
            labels.setdefault(image.stem, label)
    return replace(
        joined,
        images=tuple(next(iter(each.values())) for each in by_stem.values()),
        labels=tuple(labels.values()),
        slice_channels=tuple(by_stem.values()),
    )


def _split_faults(cases: Sequence[IndexedCase]) -> list[LayoutFault]:
    if len({case.split for case in cases}) == 1:
        return []
    text = (
        f"data leakage: the scans of a patient are in several splits ({', '.join(str(case.split) for case in cases)}); "
        "expected one. Move them to one split."
    )
    return [LayoutFault("leakage", text, ("+".join(case.name for case in cases),))]


def _shown(places: Mapping[str, str]) -> str:
    named = (name if name == place else f"{name} ({place})" for name, place in places.items())
    return ", ".join(named)
