"""The manifest of a prepared folder: written, read back, and read as earlier versions wrote it."""

import json
from pathlib import Path

import pytest

from layouts import write_cirrmri, write_folders
from prepared import prepared
from rma_mamba.datasets.prepare import MANIFEST, PreparationOptions
from rma_mamba.datasets.prepare.manifest import digest_of, read_manifest
from rma_mamba.errors import ConfigError


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    manifest = prepared("folders", write_folders(tmp_path / "in", 2), tmp_path / "out")
    assert read_manifest(tmp_path / "out") == manifest
    assert read_manifest(tmp_path) is None


def test_old_field_names_stand_beside_the_new_ones(tmp_path: Path) -> None:
    prepared("cirrmri600", write_cirrmri(tmp_path / "in"), tmp_path / "out")
    content = json.loads((tmp_path / "out" / MANIFEST).read_text())
    assert content["png"] is content["pictures"] is False
    for case in content["cases"]:
        assert case["split"] == case["side"]
        assert case["dataset"] == case["cohort"]
    assert {case["split"] for case in content["cases"]} == {"train", "val", "test"}


def test_a_manifest_of_an_earlier_version_is_read_silently_and_resumed(tmp_path: Path) -> None:
    root, out = write_cirrmri(tmp_path / "in"), tmp_path / "out"
    manifest = prepared("cirrmri600", root, out)
    content = json.loads((out / MANIFEST).read_text())
    del content["png"]
    for case in content["cases"]:
        del case["split"], case["dataset"]
        case["side"] = case["side"].replace("val", "valid")
    (out / MANIFEST).write_text(json.dumps(content))
    assert read_manifest(out) == manifest
    written = {path: path.stat().st_mtime_ns for path in out.rglob("*.nii")}
    assert prepared("cirrmri600", root, out) == manifest
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.nii")} == written


@pytest.mark.parametrize("content", ["{", "[]", '{"dataset": 3}'])
def test_another_file_of_that_name_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(ConfigError, match=r"manifest\.json in the output folder cannot be read"):
        read_manifest(tmp_path)


def test_the_digest_of_a_folder_depends_on_every_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    alone = digest_of([tmp_path / "a"])
    assert digest_of([tmp_path]) == alone
    (tmp_path / "b").write_bytes(b"2")
    both = digest_of([tmp_path])
    assert both == digest_of([tmp_path / "a", tmp_path / "b"]) != alone
    (tmp_path / "b").write_bytes(b"3")
    assert digest_of([tmp_path]) != both


def test_the_options_have_the_default_window() -> None:
    assert PreparationOptions().ct_window_hu == (-160, 240)
