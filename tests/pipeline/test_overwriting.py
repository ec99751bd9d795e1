"""No output replaces a file of the input, whatever name or link leads to it; earlier results may be replaced."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from dicom_series import save, series
from rma_mamba.errors import ConfigError
from rma_mamba.pipeline.cohort import segment_cohort
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.output_paths import check_cohort_outputs, plan_outputs
from rma_mamba.pipeline.overwriting import refuse_overwriting, refuse_replacing

VALUES = np.arange(24 * 20 * 8, dtype=np.int16).reshape(24, 20, 8)


def written(path: Path, values: np.ndarray = VALUES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, np.diag([2.0, 2.0, 5.0, 1.0])), path)
    return path


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """The mask of p1 would replace another scan."""
    written(tmp_path / "cohort" / "p1.nii.gz")
    written(tmp_path / "cohort" / "p1" / "liver.nii.gz")
    return tmp_path / "cohort"


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    return save(tmp_path / "series", series())


@pytest.mark.parametrize("parts", [(), ("--num-parts", 2, "--part-id", 1)])
def test_a_result_never_replaces_another_scan(command, segmenter, cohort, parts) -> None:
    before = digests(cohort)
    done = command("segment", "-i", cohort, "-o", cohort, *parts)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "the output 'liver.nii.gz' is one of the input's files" in done.err
    assert (segmenter.loaded, digests(cohort)) == (None, before)


@pytest.mark.parametrize("kind", ["itself", "link", "hard link", "link to the folder", "tilde"])
def test_a_result_never_replaces_a_slice(command, segmenter, slices, tmp_path, kind: str) -> None:
    target, out = slices / "IM0003.dcm", tmp_path / "out.dcm"
    (slices / "IM0003").rename(target)
    if kind == "itself":
        out = target
    elif kind == "link":
        out.symlink_to(target)
    elif kind == "hard link":
        out.hardlink_to(target)
    elif kind == "link to the folder":
        (tmp_path / "folder").symlink_to(slices)
        out = tmp_path / "folder" / "IM0003.dcm"
    else:
        out = tmp_path / "series" / ".." / "series" / "IM0003.dcm"
    before = digests(tmp_path)
    done = command("segment", "-i", slices, "-o", out)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "is one of the input's files" in done.err
    assert (segmenter.loaded, digests(tmp_path)) == (None, before)


def test_a_path_through_folders_that_do_not_exist_yet_leads_to_the_scan_as_well(
    command, segmenter, cohort
) -> None:
    before = digests(cohort)
    scan = cohort / "p1.nii.gz"
    for out in (cohort / "new" / ".." / "p1.nii.gz", cohort / "a" / "b" / "../.." / "p1.nii.gz"):
        assert command("segment", "-i", scan, "-o", out).code == 2
    done = command("segment", "-i", cohort, "-o", f"{cohort}/new/../")
    assert (done.code, "one of the input's files" in done.err) == (2, True)
    assert digests(cohort) == before


def test_every_file_of_a_scan_is_protected(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(VALUES, np.eye(4)), tmp_path / "a.img")
    header = "ObjectType = Image\nNDims = 3\nElementDataFile = b.nii\n"
    (tmp_path / "b.mhd").write_text(header)
    (tmp_path / "b.nii").write_bytes(b"voxels")
    for scan, output in (("a.hdr", "a.img"), ("a.img", "a.hdr"), ("b.mhd", "b.nii")):
        with pytest.raises(ConfigError, match="one of the input's files"):
            refuse_overwriting([tmp_path / output], [tmp_path / scan], chosen_names=True)
    refuse_overwriting(
        [tmp_path / "a.img", tmp_path / "c"], [tmp_path / "b.mhd"], chosen_names=True
    )


def test_notes_and_masks_in_the_folder_of_a_case_are_the_users(slices: Path) -> None:
    (slices / "report.pdf").write_bytes(b"the radiologist's")
    with pytest.raises(ConfigError, match=r"'report.pdf' is one of the input's files"):
        check_cohort_outputs({"series": slices}, slices.parent, ("report_pdf",))
    check_cohort_outputs({"series": slices}, slices.parent, ("nifti",))
    written(slices / "liver.nii.gz", (VALUES > 99).astype(np.uint8))
    with pytest.raises(ConfigError, match=r"'liver.nii.gz' is one of the input's files"):
        check_cohort_outputs({"series": slices}, slices.parent, ("nifti",))
    record = {"rma_mamba": "0.2.0", "files": {"liver.nii.gz": ""}}  # an earlier run wrote it
    (slices / "run.json").write_text(json.dumps(record))
    check_cohort_outputs({"series": slices}, slices.parent, ("nifti",))


def test_results_of_an_earlier_run_with_the_same_name_may_be_replaced(
    command, segmenter, slices
) -> None:
    before = digests(slices)
    options = ("-p", "-s", "-ot", "nifti,dicom_seg,dicom_sr")
    for _ in range(2):
        done = command("segment", "-i", slices, "-o", slices / "liver.nii.gz", "-p", "-s")
        assert done.code == 0, done.err
    assert "1 file is a mask or result of an earlier run and was skipped: liver.nii.gz" in done.err
    for _ in range(2):
        done = command("segment", "-i", slices, "-o", f"{slices}/", *options)
        assert "is one of the input's files" not in done.err
    assert before.items() <= digests(slices).items()


def test_the_functions_protect_the_input_as_the_command_does(
    segmenter, cohort: Path, slices: Path
) -> None:
    cases = [Case(cohort / "p1.nii.gz", "p1"), Case(cohort / "p1" / "liver.nii.gz", "p1/liver")]
    with pytest.raises(ConfigError, match="one of the input's files"):
        segment_cohort(cases, cohort)
    (slices / "IM0003").rename(slices / "IM0003.dcm")
    with pytest.raises(ConfigError, match="one of the input's files"):
        plan_outputs(slices, slices / "IM0003.dcm")


def test_what_is_left_of_an_interrupted_run_in_its_own_folder_may_be_replaced(
    command, segmenter, cohort
) -> None:
    (cohort / "p1" / "liver.nii.gz").unlink()
    written(cohort / "results" / "p1" / "liver.nii.gz", (VALUES > 99).astype(np.uint8))
    assert command("segment", "-i", cohort, "-o", cohort / "results").code == 0


def test_tables_do_not_replace_what_they_measure(command, tmp_path: Path) -> None:
    mask = written(tmp_path / "mask.nii.gz", (VALUES > 99).astype(np.uint8))
    named_as_a_table = mask.rename(tmp_path / "mask.csv")
    done = command("measure", named_as_a_table, "--csv", named_as_a_table)
    assert (done.code, "is one of the input's files" in done.err) == (2, True)
    (tmp_path / "link.json").symlink_to(named_as_a_table)
    done = command("measure", named_as_a_table, "--json", tmp_path / "link.json")
    assert (done.code, "is one of the input's files" in done.err) == (2, True)
    refuse_replacing([tmp_path / "new.csv"], [named_as_a_table])
