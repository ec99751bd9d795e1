"""Names of output files, and what is refused before any work."""

from pathlib import Path

import pytest

from rma_mamba.errors import ConfigError
from rma_mamba.pipeline.output_paths import is_folder, plan_outputs
from rma_mamba.pipeline.output_types import OUTPUT_TYPES

SCAN = Path("case_7.nii.gz")


def test_a_folder_gets_a_folder_for_the_case(tmp_path: Path) -> None:
    paths = plan_outputs(SCAN, tmp_path, ("preview",))
    case = tmp_path / "case_7"
    assert paths.files == {"nifti": case / "liver.nii.gz", "preview": case / "preview.png"}
    assert (paths.run, paths.folder) == (case / "run.json", case)
    assert plan_outputs(SCAN, tmp_path, case="a/b").folder == tmp_path / "a" / "b"


def test_other_files_go_beside_a_file(tmp_path: Path) -> None:
    out = tmp_path / "my.liver.NII.GZ"
    paths = plan_outputs(SCAN, out, ("report_html", "csv", "nifti"))
    assert paths.files == {
        "nifti": out,
        "report_html": tmp_path / "my.liver_report.html",
        "csv": tmp_path / "my.liver_measurements.csv",
    }
    assert next(iter(paths.files)) == "nifti"
    assert paths.run is None


@pytest.mark.parametrize(
    "name", [name for name, each in OUTPUT_TYPES.items() if each.option == "--output-type"]
)
def test_a_file_can_have_every_output_type_that_is_listed(name: str, tmp_path: Path) -> None:
    out = tmp_path / f"x{''.join(Path(OUTPUT_TYPES[name].file_name).suffixes)}"
    assert plan_outputs(SCAN, out, (name,)).files == {name: out}


def test_no_two_output_types_share_a_file() -> None:
    types = OUTPUT_TYPES.values()
    assert len({each.file_name for each in types}) == len({each.suffix for each in types})
    assert len({each.file_name for each in types}) == len(OUTPUT_TYPES)


@pytest.mark.parametrize(
    ("out", "folder"),
    [("a", True), ("a.b/", True), ("a.nii.gz", False), ("a.b", False)],
)
def test_a_path_without_suffix_or_with_a_slash_is_a_folder(out: str, folder: bool) -> None:
    assert is_folder(out) == folder


def test_outputs_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    scan = tmp_path / "scan.nii.gz"
    scan.write_bytes(b"")
    for out, outputs, message in (
        (tmp_path / "a.xyz", (), "not that of a mask format"),
        (tmp_path / "a.stl", ("nifti",), "output type nifti; expected .nii.gz or .nii. Choose"),
        (tmp_path / "out", ("nii",), "unknown output type 'nii'"),
        (tmp_path / "file" / "a.nii", (), "folder cannot be written"),
        (scan, (), "the scan itself"),
        (tmp_path / f"{'a' * 300}.nii", (), "File name too long"),
    ):
        with pytest.raises(ConfigError, match=message):
            plan_outputs(scan, out, outputs)
