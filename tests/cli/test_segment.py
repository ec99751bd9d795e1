import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from rma_mamba.conventions import software
from rma_mamba.errors import ScanError
from rma_mamba.pipeline import output_types

BOX_ML = 8 * 5 * 4 * 20 / 1000


def names(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_the_mask_is_written_to_the_output_path(command, segmenter, scan, tmp_path) -> None:
    out = tmp_path / "new" / "my liver.nii.gz"
    done = command("segment", "-i", scan, "-o", out)
    assert (done.code, done.out) == (0, "")
    assert f"Liver: {BOX_ML:.0f} mL (MR)" in done.err
    assert names(out.parent) == ["my liver.nii.gz"]
    mask, original = nib.load(out), nib.load(scan)
    assert np.array_equal(mask.affine, original.affine)
    assert np.array_equal(np.asarray(mask.dataobj), np.asarray(original.dataobj) > 500)


def test_a_folder_gets_a_folder_per_case(command, segmenter, scan, tmp_path) -> None:
    assert command("segment", "-i", scan, "-o", tmp_path / "out", "-p", "-s").code == 0
    assert names(tmp_path / "out") == [
        "case_7/liver.nii.gz",
        "case_7/preview.png",
        "case_7/run.json",
        "case_7/statistics.json",
    ]


def test_preview_and_statistics_go_beside_a_single_file(command, segmenter, scan, tmp_path) -> None:
    segmenter.warnings = ("Something is doubtful.",)
    out = tmp_path / "out"
    out.mkdir()
    done = command("segment", "-i", scan, "-o", out / "a.nii", "--preview", "--statistics")
    assert done.code == 0
    assert names(out) == ["a.nii", "a_preview.png", "a_statistics.json"]
    found = json.loads((out / "a_statistics.json").read_text())
    assert found["volume_ml"] == pytest.approx(BOX_ML)
    sizes = {"right_to_left": 16, "anterior_to_posterior": 10, "inferior_to_superior": 20}
    old = {"front_to_back": 10, "foot_to_head": 20}
    assert found["extent_mm"] == {**sizes, **old}
    assert found["warnings"] == ["Something is doubtful."]
    assert found["modality"] == "MR"


def test_no_output_names_the_case_or_a_path(command, segmenter, scan, tmp_path) -> None:
    weights = tmp_path / "Doe John" / "weights.safetensors"
    command("segment", "-i", scan, "-o", tmp_path / "out.nii", "-s", "-p", "-m", weights)
    statistics = (tmp_path / "out_statistics.json").read_text()
    assert not any(word in statistics for word in ("case_7", "Doe", "/"))
    with Image.open(tmp_path / "out_preview.png") as picture:
        assert picture.info == {"Software": software()}  # by which it is recognised as a result


def test_options_reach_the_segmenter_in_kebab_and_snake_case(command, segmenter, scan, tmp_path):
    for flag in ("--batch-size", "--batch_size"):
        segmenter.loaded = None
        options = ("-m", "rma-mamba-t", "-f", "-d", "cpu", flag, "3", "--modality", "ct")
        options += ("--precision", "bfloat16", "--runtime", "torch")
        assert command("segment", "-i", scan, "-o", tmp_path / "o.nii", *options).code == 0
        loaded = {"model": "rma-mamba-t", "device": "cpu", "batch_size": 3, "fast": True}
        loaded |= {"precision": "bfloat16", "runtime": "torch"}
        assert segmenter.loaded == loaded
        assert segmenter.modality == "CT"


def test_warnings_are_printed_once_even_if_quiet(command, segmenter, scan, tmp_path) -> None:
    segmenter.warnings = ("One thing.", "One thing.", "Another.")
    done = command("segment", "-i", scan, "-o", tmp_path / "o.nii", "-q")
    assert done.err.splitlines() == [
        "rma-mamba: warning: One thing.",
        "rma-mamba: warning: Another.",
    ]


def test_an_unusable_output_is_refused_before_any_work(command, segmenter, scan, tmp_path) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "folder.nii.gz" / "case_7" / "liver.nii.gz").mkdir(parents=True)
    for out in ("liver.txt", "file/liver.nii.gz", "folder.nii.gz"):
        done = command("segment", "-i", scan, "-o", tmp_path / out)
        assert done.code == 2
        assert done.err.startswith("rma-mamba: error: ")
        assert done.err.count("\n") == 1
    assert segmenter.loaded is None


def test_the_scan_is_never_overwritten(command, segmenter, scan) -> None:
    before = scan.read_bytes()
    done = command("segment", "-i", scan, "-o", scan)
    assert done.code == 2
    assert "scan itself" in done.err
    assert scan.read_bytes() == before


def test_a_failed_write_leaves_no_file(command, segmenter, scan, tmp_path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise ScanError("the disk is full; expected space. Free some.")

    monkeypatch.setattr(output_types, "write_mask", fail)
    done = command("segment", "-i", scan, "-o", tmp_path / "out" / "a.nii", "-p", "-s")
    assert done.code == 4
    assert names(tmp_path / "out") == []


def test_probabilities_are_written_on_request(command, segmenter, scan, tmp_path) -> None:
    out = tmp_path / "out"
    done = command("segment", "-i", scan, "-o", out / "a.nii.gz", "--save_probabilities")
    assert done.code == 0
    assert names(out) == ["a.nii.gz", "a_probabilities.nii.gz"]
    assert nib.load(out / "a_probabilities.nii.gz").get_data_dtype() == np.float32


def test_a_name_that_is_too_long_is_a_one_line_error(command, segmenter, scan, tmp_path) -> None:
    done = command("segment", "-i", scan, "-o", tmp_path / f"{'a' * 300}.nii.gz")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "File name too long" in done.err
