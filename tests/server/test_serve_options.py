"""Which folder holds the scans, and which the results."""

from pathlib import Path

import pytest

from rma_mamba.errors import ConfigError
from rma_mamba.server.serve_options import served_folders


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for name in ("a", "b/c"):
        folder = tmp_path / "results" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text('{"rma_mamba": "0.2.0"}')
        (folder / "liver.nii.gz").write_bytes(b"x")
    (tmp_path / "results" / "measurements.csv").write_text("case")
    return tmp_path / "results"


def test_a_folder_that_holds_results_alone_is_that_of_the_results(results: Path) -> None:
    assert served_folders(results, None, None) == (None, results)
    assert served_folders(results, None, Path("scans")) == (Path("scans"), results)
    (results / "b" / "scan.nii.gz").write_bytes(b"x")
    assert served_folders(results, None, None) == (results, None)


def test_other_folders_are_those_of_the_scans(tmp_path: Path) -> None:
    (tmp_path / "slice.dcm").write_bytes(b"x")
    assert served_folders(tmp_path, None, None) == (tmp_path, None)
    assert served_folders(tmp_path, Path("out"), None) == (tmp_path, Path("out"))
    assert served_folders(None, Path("out"), tmp_path) == (tmp_path, Path("out"))
    assert served_folders(None, None, None) == (None, None)
    assert served_folders(tmp_path / "none", None, None) == (tmp_path / "none", None)


def test_two_folders_of_scans_are_an_error() -> None:
    with pytest.raises(ConfigError, match="two folders of scans"):
        served_folders(Path("a"), Path("b"), Path("c"))
