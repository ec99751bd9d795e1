"""Each volume of a series is named by what distinguishes it, in the order of its number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from dicom_series import SERIES, SLICES, drop, enhanced, pixels_of, save, series
from rma_mamba.errors import ScanError
from rma_mamba.scans import count_volumes, list_series, read_scan


def volumes(count: int, **elements: list[Any]) -> list[Dataset]:
    """Volumes of one series, in which elements take one value a volume; their values differ by 1000."""
    slices = []
    for number in range(count):
        volume = series()
        pixels_of(volume, lambda values, k, number=number: values + 1000 * number)
        for k, data in enumerate(volume):
            data.SOPInstanceUID = f"{SERIES}.{number}.{k}"
            data.InstanceNumber = number * SLICES + k + 1
            data.Modality = "MR"
            for keyword, values in elements.items():
                setattr(data, keyword, values[number])
        slices += volume
    return slices


KINDS: dict[str, tuple[dict[str, list[Any]], str, list[str]]] = {
    "echoes": (
        {"EchoTime": [4.6, 2.3]},
        "echo time",
        ["echo time 2.3 ms", "echo time 4.6 ms"],
    ),
    "b-values": (
        {"DiffusionBValue": [0.0, 800.0]},
        "b-value",
        ["b-value 0 s/mm2", "b-value 800 s/mm2"],
    ),
    "temporal positions": ({"TemporalPositionIdentifier": [1, 2]}, "phase", ["phase 1", "phase 2"]),
    "cardiac phases": (
        {"TriggerTime": [0, 350.5]},
        "trigger time",
        ["trigger time 0 ms", "trigger time 350.5 ms"],
    ),
    "parts of the cardiac cycle": (
        {"NominalPercentageOfCardiacPhase": [40, 70]},
        "cardiac phase",
        ["cardiac phase 40%", "cardiac phase 70%"],
    ),
    "contrast phases": (
        {"AcquisitionTime": ["115950.50", "120025.5"]},
        "acquisition time",
        ["acquisition time +0 s", "acquisition time +35 s"],
    ),
    "contrast phases by another element": (
        {"ContentTime": ["120000", "120110"]},
        "acquisition time",
        ["acquisition time +0 s", "acquisition time +70 s"],
    ),
    "acquisitions at times": (
        {"AcquisitionNumber": [1, 2], "AcquisitionTime": ["120000", "120035"]},
        "acquisition",
        ["acquisition 1", "acquisition 2"],
    ),
    "in and out of phase": (
        {"ImageType": [["ORIGINAL", "PRIMARY", "M", "IN"], ["ORIGINAL", "PRIMARY", "M", "OUT"]]},
        "image type",
        ["image type IN", "image type OUT"],
    ),
    "echoes at angles": (
        {"EchoTime": [1, 2], "FlipAngle": [10, 20]},
        "echo time and flip angle",
        ["echo time 1 ms, flip angle 10 degrees", "echo time 2 ms, flip angle 20 degrees"],
    ),
    "nothing but their number": ({}, "", ["instances 1 to 6", "instances 7 to 12"]),
}


@pytest.mark.parametrize(("elements", "differing", "labels"), KINDS.values(), ids=KINDS.keys())
def test_the_list_says_which_volume_is_which(
    tmp_path: Path, elements: dict[str, list[Any]], differing: str, labels: list[str]
) -> None:
    folder = save(tmp_path, volumes(2, **elements))
    (entry,) = list_series(folder)
    assert (entry.volumes, entry.differing, list(entry.volume_labels)) == (2, differing, labels)
    descending = elements == {"EchoTime": [4.6, 2.3]}
    assert (read_scan(folder, volume=1).values.max() > 0) == descending
    assert count_volumes(folder) == 2


def test_the_error_says_which_volume_is_which(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"\(1: echo time 1 ms, 2: echo time 2 ms\)"):
        read_scan(save(tmp_path, volumes(2, EchoTime=[1, 2])))


def test_frames_are_named_by_their_functional_groups(tmp_path: Path) -> None:
    data = enhanced(volumes(2))
    for number, group in enumerate(data.PerFrameFunctionalGroupsSequence):
        trigger, inversion = Dataset(), Dataset()
        trigger.NominalCardiacTriggerDelayTime = 100.0 * (number // SLICES)
        inversion.InversionTimes = [300.0 + number // SLICES]
        group.CardiacSynchronizationSequence, group.MRModifierSequence = [trigger], [inversion]
    (entry,) = list_series(save(tmp_path, [data]))
    assert entry.volume_labels == (
        "inversion time 300 ms, trigger time 0 ms",
        "inversion time 301 ms, trigger time 100 ms",
    )


def test_one_volume_has_no_label(tmp_path: Path) -> None:
    (entry,) = list_series(save(tmp_path, volumes(1, EchoTime=[2.3])))
    assert (entry.volumes, entry.differing, entry.volume_labels) == (1, "", ())


def test_a_series_that_was_sent_twice_is_one_volume_in_the_list_as_well(tmp_path: Path) -> None:
    copies = volumes(2)
    pixels_of(copies[SLICES:], lambda values, k: values - 1000)
    (entry,) = list_series(save(tmp_path, copies))
    assert (entry.volumes, entry.volume_labels) == (1, ())


def test_the_times_of_a_volume_that_lacks_a_slice_still_name_it(tmp_path: Path) -> None:
    slices = volumes(2, AcquisitionTime=["120000", "120035"])
    drop(8)(slices)
    (entry,) = list_series(save(tmp_path, slices))
    assert entry.volume_labels == ("acquisition time +0 s", "acquisition time +35 s")


def test_a_series_whose_slices_differ_in_size_has_no_volumes(tmp_path: Path) -> None:
    slices = volumes(2, EchoTime=[1, 2])
    slices[3].Rows, slices[3].Columns = slices[3].Columns, slices[3].Rows
    (entry,) = list_series(save(tmp_path, slices))
    assert (entry.volumes, entry.volume_labels) == (2, ())
