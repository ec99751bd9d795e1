"""Several scans of one patient on the command line."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import dicom_series
from clinical_series import clinical_series
from command_line import Finished
from layouts import AFFINE, save, scan
from rma_mamba.errors import ConfigError, GridError, ScanError, WeightsError
from rma_mamba.inference import Segmenter
from rma_mamba.pipeline import Case
from rma_mamba.pipeline.case_channels import (
    cases_with_channels,
    channels_in,
    named_channels,
    network_channels,
    read_case,
)
from rma_mamba.pipeline.discovery import ChannelScan, find_cases
from rma_mamba.pipeline.request import ReadOptions
from tiny import tiny_weights
from two_scans import CHANNELS, two_scan_weights, volume

Command = Callable[..., Finished]


def save_series(folder: Path, **elements: Any) -> None:
    dicom_series.save(folder, clinical_series(**elements))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return two_scan_weights(tmp_path / "two.safetensors")


@pytest.fixture
def scans(tmp_path: Path) -> dict[str, Path]:
    return {
        name: save(tmp_path / "scans" / f"{name.lower()}.nii.gz", scan(n)[0])
        for n, name in enumerate(CHANNELS)
    }


def mask(path: Path) -> Any:
    return np.asarray(nib.load(path).dataobj)


def test_named_files_are_the_channels_of_the_network(
    command: Command, tmp_path: Path, weights: Path, scans: dict[str, Path]
) -> None:
    named = [f"--channel={name}={path}" for name, path in reversed(scans.items())]
    done = command("segment", *named, "-o", tmp_path / "liver.nii.gz", "-m", weights, "-d", "cpu")
    assert done.code == 0, done.err
    expected = Segmenter.load(weights, device="cpu")({n: volume(k) for k, n in enumerate(CHANNELS)})
    assert np.array_equal(mask(tmp_path / "liver.nii.gz"), expected.mask.labels)


def test_a_missing_channel_is_a_warning(
    command: Command, tmp_path: Path, weights: Path, scans: dict[str, Path]
) -> None:
    out = tmp_path / "out"
    arguments = ("--channel", f"T2={scans['T2']}", "-o", out, "-m", weights, "-s")
    done = command("segment", *arguments)
    assert (done.code, "channel T1 is missing" in done.err) == (0, True)
    run = json.loads((out / "t2" / "run.json").read_text())
    assert run["settings"]["channels"] == {"T2": None}


def test_misaligned_files_are_rejected_and_resampled_on_request(
    command: Command, tmp_path: Path, weights: Path, scans: dict[str, Path]
) -> None:
    moved = AFFINE.copy()
    moved[1, 3] = 4
    other = save(tmp_path / "moved.nii.gz", scan(1)[0], moved)
    named = ("--channel", f"T1={scans['T1']}", "--channel", f"T2={other}")
    done = command("segment", *named, "-o", tmp_path / "a.nii.gz", "-m", weights)
    assert done.code == 4
    assert "T1 (t1.nii.gz) and T2 (moved.nii.gz) are not aligned: shifted by" in done.err
    assert done.err.count("\n") == 1
    done = command("segment", *named, "--resample", "-o", tmp_path / "a.nii.gz", "-m", weights)
    assert done.code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--channel", "PD=x.nii"), "no channel PD; expected the channels T1, T2"),
        (("-i", "{scan}"), "expected scans named T1 and T2"),
        ((), "no input; expected --input"),
        (("--channel", "T1={scan}", "--series", "1"), "no --series"),
        (("--channel", "T1"), "expected a name and a value"),
    ],
)
def test_wrong_usage_is_one_line(
    command: Command,
    tmp_path: Path,
    weights: Path,
    scans: dict[str, Path],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    given = [each.format(scan=scans["T1"]) for each in arguments]
    done = command("segment", *given, "-o", tmp_path / "out.nii.gz", "-m", weights)
    assert done.code == 2
    assert message in done.err


def test_a_network_for_a_single_scan_takes_no_channels(tmp_path: Path) -> None:
    assert network_channels("default") == ()
    assert network_channels(str(tiny_weights(tmp_path / "one.safetensors"))) == ()
    for name in ("missing.safetensors", "missing.onnx"):
        assert network_channels(str(tmp_path / name)) == ()
        with pytest.raises(WeightsError, match="does not exist"):
            network_channels(str(tmp_path / name), named=True)
    with pytest.raises(ConfigError, match="expected a single scan"):
        named_channels({"T1": "a"}, None, ())


def test_series_of_one_study_are_named_by_number() -> None:
    found = named_channels({"T2": "5", "T1": "3"}, Path("study"), CHANNELS)
    assert found == (
        ChannelScan("T1", Path("study"), "3"),
        ChannelScan("T2", Path("study"), "5"),
    )
    assert Case(Path("study"), "study", channels=found).scans == (Path("study"),)


@pytest.mark.parametrize(
    "names",
    [
        ("{}_0000.nii.gz", "{}_0001.nii.gz"),
        ("{}_T1.nii.gz", "{}-t2.nii.gz"),
        ("{}/T1.nii.gz", "{}/T2.nii.gz"),
        ("T1/{}.nii.gz", "T2/{}.nii.gz"),
    ],
)
def test_cohorts_are_grouped_by_name(tmp_path: Path, names: tuple[str, str]) -> None:
    for case in ("P1", "P2"):
        for name in names[: 1 if case == "P2" else 2]:
            save(tmp_path / name.format(case), scan(0)[0])
    cases = cases_with_channels(find_cases(tmp_path), CHANNELS)
    assert {case.name: [each.name for each in case.channels] for case in cases} == {
        "P1": ["T1", "T2"],
        "P2": ["T1"],
    }


def test_other_names_remain_cases_and_two_files_of_a_channel_are_an_error(tmp_path: Path) -> None:
    case = Case(tmp_path / "scan.nii.gz", "scan")
    assert cases_with_channels([case], CHANNELS) == [case]
    twice = [Case(tmp_path / name, name) for name in ("P1_T1.nii.gz", "P1_0000.nii.gz")]
    with pytest.raises(ConfigError, match=r"P1_T1\.nii\.gz and P1_0000\.nii\.gz are both"):
        cases_with_channels(twice, CHANNELS)


def test_the_folder_of_a_patient_is_one_case(
    command: Command, tmp_path: Path, weights: Path, scans: dict[str, Path]
) -> None:
    folder = scans["T1"].parent
    assert [each.name for each in channels_in(folder, CHANNELS)] == ["T1", "T2"]
    assert channels_in(scans["T1"], CHANNELS) == ()
    done = command("segment", "-i", folder, "-o", tmp_path / "out", "-m", weights)
    assert done.code == 0, done.err
    assert (tmp_path / "out" / "scans" / "liver.nii.gz").exists()


def test_dicom_series_of_one_patient_are_read_together(tmp_path: Path) -> None:
    for name in CHANNELS:
        save_series(tmp_path / name, PatientID="4711", FrameOfReferenceUID="1.2.3")
    case = Case(tmp_path, "P", channels=channels_in(tmp_path, CHANNELS))
    volume = read_case(case, ReadOptions())
    assert [*volume.channels] == [*CHANNELS]
    assert volume.source_images is not None


def test_dicom_series_of_two_patients_are_rejected(tmp_path: Path) -> None:
    for name, patient, frame in (("T1", "1", "1.2.3"), ("T2", "2", "1.2.4")):
        save_series(tmp_path / name, PatientID=patient, FrameOfReferenceUID=frame)
    case = Case(tmp_path, "P", channels=channels_in(tmp_path, CHANNELS))
    with pytest.raises(ScanError, match="different patient IDs"):
        read_case(case, ReadOptions())
    save_series(tmp_path / "same", PatientID="1", FrameOfReferenceUID="1.2.4")
    other = replace(case.channels[1], scan=tmp_path / "same")
    volume = read_case(replace(case, channels=(case.channels[0], other)), ReadOptions())
    assert "different frames of reference" in volume.warnings[-1]


def test_misaligned_series_name_folder_and_series(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{n}.nii", scan(n, (44, 40, 10 + n))[0]) for n in range(2)]
    channels = tuple(map(ChannelScan, CHANNELS, paths))
    with pytest.raises(GridError, match=r"T1 \(0\.nii\) and T2 \(1\.nii\)"):
        read_case(Case(paths[0], "P", channels=channels), ReadOptions())
