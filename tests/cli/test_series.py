import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from dicom_series import SLICES, as_series, beside, drop, edited, pixels_of, save, series


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two series and a report; the values of the second are 1000 higher."""
    bright = as_series(series(), 2, SeriesDescription="\x1b[31mlate\nphase")
    pixels_of(bright, lambda values, k: values + 1600)
    report = as_series([beside("report")], 3)
    return save(tmp_path / "study", [*as_series(series(slices=20), 1), *bright, *report])


def test_the_list_names_each_series_and_marks_the_choice(command, study) -> None:
    done = command("series", study)
    heading, *rows = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert heading.split()[:3] == ["no.", "study", "modality"]
    assert [row[0] for row in rows] == ["*", " ", " "]
    assert "best match" in rows[0]
    assert rows[1].endswith("[31mlatephase")  # no code that a terminal would obey
    assert "no image slices" in rows[2]


def test_the_list_as_json_is_the_same(command, study) -> None:
    found = json.loads(command("series", study, "--json").out)
    assert [(one["number"], one["images"], one["chosen"]) for one in found] == [
        (1, 20, True),
        (2, SLICES, False),
        (3, 1, False),
    ]


def test_a_folder_without_dicom_is_a_one_line_error(command, tmp_path) -> None:
    done = command("series", tmp_path)
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("rma-mamba: error: the folder is empty")


def test_segment_reads_the_series_that_is_named(command, segmenter, study, tmp_path) -> None:
    out = tmp_path / "out.nii"
    assert command("segment", "-i", study, "-o", out, "--series", "2").code == 0
    assert nib.load(out).shape[2] == SLICES
    assert np.asarray(nib.load(out).dataobj).all()
    assert command("segment", "-i", study, "-o", out, "--series", "9").code == 2


def test_strict_refuses_a_series_that_needs_repair(command, segmenter, tmp_path) -> None:
    folder = save(tmp_path / "series", edited(drop(3)))
    done = command("segment", "-i", folder, "-o", tmp_path / "a.nii", "--strict")
    assert done.code == 4
    assert "about 1 slice" in done.err
    assert not (tmp_path / "a.nii").exists()
    assert command("segment", "-i", folder, "-o", tmp_path / "a.nii").code == 0
    assert nib.load(tmp_path / "a.nii").shape[2] == SLICES


def test_a_volume_of_a_4d_scan_is_segmented(command, segmenter, tmp_path) -> None:
    values = np.zeros((4, 4, 4, 2), np.int16)
    values[..., 1] = 900
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "scan.nii")
    out = tmp_path / "out.nii"
    assert command("segment", "-i", tmp_path / "scan.nii", "-o", out).code == 4
    for volume, filled in (("1", False), ("2", True)):
        done = command("segment", "-i", tmp_path / "scan.nii", "-o", out, "--volume", volume)
        assert done.code == 0
        assert np.asarray(nib.load(out).dataobj).any() == filled


@pytest.mark.parametrize(
    ("text", "code"), [("2", 0), ("2,2,2", 0), ("2x2x2", 0), ("2,2", 2), ("two", 2), ("-1", 2)]
)
def test_images_get_the_spacing_of_the_option(
    command, segmenter, tmp_path, text: str, code: int
) -> None:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "a.png")
    out = tmp_path / "out.nii"
    options = ("-i", tmp_path / "a.png", "-o", out, "--spacing-mm", text)
    assert command("segment", *options).code == code
    assert not out.exists() or nib.load(out).header.get_zooms() == (2, 2, 2)


def test_the_volumes_of_a_series_are_listed_with_their_numbers(command, tmp_path) -> None:
    echoes = [*as_series(series(), 1, EchoTime=2.3), *as_series(series(), 1, EchoTime=4.6)]
    for number, data in enumerate(echoes):
        data.SOPInstanceUID = f"1.2.3.{number}"
    lines = command("series", save(tmp_path / "in", echoes)).out.splitlines()
    assert "echo time" in lines[1]
    assert lines[2:] == [
        "",
        "Volumes of series 1:",
        "  --volume 1  echo time 2.3 ms",
        "  --volume 2  echo time 4.6 ms",
    ]
