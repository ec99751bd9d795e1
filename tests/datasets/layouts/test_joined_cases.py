"""Sequences of a patient, and channels of nnU-Net, as channels of one case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audits import found
from layouts import AFFINE, save, save_image, scan, write_chaos, write_cirrmri
from rma_mamba.datasets.audit import audit, require_sound_data
from rma_mamba.datasets.layouts import LayoutOptions, open_dataset
from rma_mamba.datasets.layouts.case_reader import read_images
from rma_mamba.datasets.layouts.joined_cases import with_channels
from rma_mamba.datasets.layouts.nnunet_channels import channel_names
from rma_mamba.datasets.prepare import RECIPE_DATA, PreparationOptions, prepare
from rma_mamba.errors import ConfigError
from rma_mamba.training import load_recipe
from two_scans import write_nnunet_channels

T1_T2 = LayoutOptions(channels={"T1": "T1", "T2": "T2"})


def test_t1_and_t2_of_a_patient_are_one_case(tmp_path: Path) -> None:
    root = write_cirrmri(tmp_path)
    (root / "Cirrhosis_T2_3D/train_images/0002.nii.gz").unlink()
    dataset = open_dataset("cirrmri600", root, T1_T2)
    assert len(dataset.cases) == 8
    assert {case.sequence for case in dataset.cases} == {"T1-T2"}
    by_patient = {case.patient: case for case in dataset.cases}
    assert [*by_patient["1"].channels] == ["T1", "T2"]
    assert [*by_patient["2"].channels] == ["T1"]
    assert by_patient["8"].split == "test"
    (image,) = read_images(by_patient["1"])
    assert [*image.image.channels] == ["T1", "T2"]


def test_channels_may_have_names_of_their_own(tmp_path: Path) -> None:
    phases = {"in": "T1 in phase", "out": "t1 OUT of phase"}
    dataset = open_dataset("chaos", write_chaos(tmp_path), LayoutOptions(channels=phases))
    assert {tuple(case.channels) for case in dataset.cases} == {("in", "out")}
    assert "in (T1 in phase), out (T1 out of phase)" in dataset.notes[-1]


def test_an_unknown_sequence_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no sequence or channel 'T3'; expected one of T1, T2"):
        open_dataset("cirrmri600", write_cirrmri(tmp_path), LayoutOptions(channels={"T3": "T3"}))


def test_a_patient_in_two_splits_is_leakage(tmp_path: Path) -> None:
    dataset = open_dataset("cirrmri600", write_cirrmri(tmp_path))
    moved = tuple(
        replace(case, split="val") if case.name == "T2/train/0001" else case
        for case in dataset.cases
    )
    joined = with_channels(replace(dataset, cases=moved), {"T1": "T1", "T2": "T2"})
    (fault,) = joined.faults
    assert (fault.kind, fault.cases) == ("leakage", ("T1/train/0001+T2/train/0001",))


def test_nnunet_uses_the_first_channel_unless_others_are_named(tmp_path: Path) -> None:
    folder = write_nnunet_channels(tmp_path)
    first = open_dataset("nnunet", folder)
    assert [case.name for case in first.cases] == ["A", "B"]
    assert not first.cases[0].channels
    assert any("--channel T1 --channel T2" in note for note in first.notes)
    assert [fault.cases for fault in first.faults] == [("C",)]
    both = open_dataset("nnunet", folder, T1_T2)
    assert {case.name: [*case.channels] for case in both.cases} == {
        "A": ["T1", "T2"],
        "B": ["T1", "T2"],
        "C": ["T2"],
    }
    assert (both.faults, both.irregularities) == ((), ())


def write_t1_slices(root: Path) -> Path:
    """CirrMRI600+ with slices of T1 beside those of T2."""
    write_cirrmri(root)
    for path in (root / "Cirrhosis_T2_2D").rglob("*.png"):
        levels = np.asarray(Image.open(path))
        other = root / "Cirrhosis_T1_2D" / path.relative_to(root / "Cirrhosis_T2_2D")
        save_image(other, (levels if path.parent.name == "masks" else 255 - levels).T)
    return root


def test_slices_of_two_sequences_are_joined_by_name_checked_and_prepared(tmp_path: Path) -> None:
    root = write_t1_slices(tmp_path / "raw")
    options = LayoutOptions(channels={"T1": "T1 2D", "T2": "T2 2D"})
    dataset = open_dataset("cirrmri600", root, options)
    assert {case.channel_names for case in dataset.cases} == {("T1", "T2")}
    assert len(dataset.cases[0].scans) == 20
    result = audit(dataset, quick=True)
    assert found(result) == {}
    manifest = prepare(result, tmp_path / "out")
    assert {(case.channels, case.files) for case in manifest.cases} == {(("T1", "T2"), 30)}
    data = load_recipe(tmp_path / "out" / RECIPE_DATA).data
    (source,) = data.sources
    assert (source.kind, [*source.channels]) == ("slices", ["T1", "T2"])
    require_sound_data(data, ["train", "val", "test"])
    assert prepare(result, tmp_path / "out").cases == manifest.cases

    (root / "Cirrhosis_T1_2D/valid/0007/images/3.png").unlink()
    save_image(root / "Cirrhosis_T1_2D/test/0008/images/3.png", np.zeros((40, 44), np.uint8))
    errors = {
        each.cases[0].partition("+")[0]: each.text
        for each in audit(open_dataset("cirrmri600", root, options), quick=True).errors
    }
    assert errors["T1 2D/valid/0007"].startswith("9 of 10 slices have the channel T1")
    assert "expected the same size of all channels" in errors["T1 2D/test/0008"]


def test_volumes_and_slices_are_not_joined(tmp_path: Path) -> None:
    options = LayoutOptions(channels={"T1": "T1", "T2": "T2 2D"})
    with pytest.raises(ConfigError, match="volumes in T1, slices in T2 2D"):
        open_dataset("cirrmri600", write_cirrmri(tmp_path), options)


def test_channels_without_a_name_have_their_number() -> None:
    assert channel_names({"modality": {"0": "CT"}}) == {"0000": "CT"}
    assert channel_names({"channel_names": []}) == {}


def test_the_check_finds_misaligned_and_broken_channels(tmp_path: Path) -> None:
    folder = write_nnunet_channels(tmp_path)
    assert found(audit(open_dataset("nnunet", folder, T1_T2), quick=True)) == {}
    shifted = AFFINE.copy()
    shifted[0, 3] = 3
    save(folder / "imagesTr" / "A_0001.nii.gz", scan(7)[0], shifted)
    save(folder / "imagesTr" / "B_0001.nii.gz", np.full((44, 40, 10), 7, np.int16))
    save(folder / "imagesTr" / "C_0000.nii.gz", 900 - scan(2)[0])
    result = audit(open_dataset("nnunet", folder, T1_T2), quick=True)
    errors = {finding.cases[0]: finding for finding in result.errors}
    assert errors["A"].kind == "grid"
    assert "T1 (A_0000.nii.gz) and T2 (A_0001.nii.gz) are not aligned" in errors["A"].text
    assert errors["B"].text.startswith("channel T2: all voxels of the image have the value 7")
    assert "the channels T1 and T2 are the same image" in errors["C"].text


def test_channels_are_prepared_in_folders_of_their_own(tmp_path: Path) -> None:
    dataset = open_dataset("nnunet", write_nnunet_channels(tmp_path / "raw"), T1_T2)
    out = tmp_path / "out"
    result = audit(dataset, quick=True)
    manifest = prepare(result, out, PreparationOptions(folds=3))
    assert [case.channels for case in manifest.cases] == [("T1", "T2"), ("T1", "T2"), ("T2",)]
    assert [case.files for case in manifest.cases] == [3, 3, 2]
    assert sorted(path.name for path in (out / "t1-t2/images_T2").iterdir()) == [
        "A.nii",
        "B.nii",
        "C.nii",
    ]
    recipe = load_recipe(out / RECIPE_DATA)
    assert recipe.data.recipe.channel_names == ("T1", "T2")
    assert recipe.network_settings["input_channels"] == 6
    assert prepare(result, out, PreparationOptions(folds=3)).cases == manifest.cases
    with pytest.raises(ConfigError, match="PNG slices"):
        prepare(result, tmp_path / "png", PreparationOptions(png=True))


def test_channels_are_resampled_when_they_are_prepared(tmp_path: Path) -> None:
    folder = write_nnunet_channels(tmp_path)
    values, _ = scan(0, (40, 40, 10))
    save(folder / "imagesTr" / "A_0001.nii.gz", values)
    options = LayoutOptions(channels=T1_T2.channels, resample=True)
    case = open_dataset("nnunet", folder, options).cases[0]
    (image,) = read_images(case)
    assert image.image.channels["T2"].values.shape == (44, 40, 10)
