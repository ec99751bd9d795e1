"""Versions are complete or not there, are never changed, and are numbered without gaps."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.pipeline.review import mask_versions
from rma_mamba.pipeline.review.corrected_mask import read_version
from rma_mamba.pipeline.review.mask_versions import MaskVersions
from rma_mamba.volume import Mask


@pytest.fixture
def case(cohort) -> Path:
    return cohort()


@pytest.fixture
def mask(case: Path) -> Mask:
    return read_version(case, case / "liver.nii.gz")


def test_the_mask_of_the_network_is_the_first_version(case: Path) -> None:
    (first,) = MaskVersions(case).all()
    assert (first.version, first.kind, first.parent, first.author) == (1, "automatic", None, None)
    assert first.tool.startswith("rma-mamba ")
    assert (case / "review/v001/liver.nii.gz").read_bytes() == (case / "liver.nii.gz").read_bytes()
    assert MaskVersions(case).adopt_result() == first
    assert len(MaskVersions(case).all()) == 1


def test_a_new_result_is_a_new_version_and_the_old_one_remains(case: Path, mask: Mask) -> None:
    before = (case / "review/v001/liver.nii.gz").read_bytes()
    from rma_mamba.scans import write_mask

    write_mask(Mask(1 - mask.labels, mask.geometry, mask.header), case / "liver.nii.gz")
    second = MaskVersions(case).adopt_result()
    assert second is not None
    assert second.version == 2
    assert (case / "review/v001/liver.nii.gz").read_bytes() == before


def test_a_correction_has_an_author_a_time_and_a_parent(case: Path, mask: Mask) -> None:
    versions = MaskVersions(case)
    saved = versions.add(mask, parent=1, kind="semiautomatic", author="Jane", note="rim")
    assert versions.newest == saved == versions.find(2)
    assert saved.time.endswith("+00:00")
    record = json.loads((case / "review/v002/version.json").read_text())
    assert record["author"] == "Jane"
    assert record["parent"] == 1


def test_the_parent_of_a_version_exists(case: Path, mask: Mask) -> None:
    with pytest.raises(ConfigError, match="no version 7"):
        MaskVersions(case).add(mask, parent=7, kind="manual")
    assert len(MaskVersions(case).all()) == 1


def test_an_interrupted_version_leaves_nothing(
    case: Path, mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = sorted(path.name for path in (case / "review").iterdir())
    for step in ("write_mask", "file_sha256", "write_json_file", "flush_folder"):
        with monkeypatch.context() as patch:
            patch.setattr(mask_versions, step, interrupt)
            with pytest.raises(KeyboardInterrupt):
                MaskVersions(case).add(mask, parent=1, kind="manual")
        found = sorted(path.name for path in (case / "review").iterdir())
        assert found == before, step


def test_what_a_killed_process_leaves_is_not_a_version(case: Path) -> None:
    left = case / "review" / ".rma-mamba-0123.tmp"
    left.mkdir()
    (left / "liver.nii.gz").write_bytes(b"half")
    (case / "review" / "v002").mkdir()
    (case / "review" / "v002" / "version.json").write_text('{"version": 2')
    assert [each.version for each in MaskVersions(case).all()] == [1]


def test_versions_saved_at_the_same_time_have_different_numbers(case: Path, mask: Mask) -> None:
    def save() -> None:
        MaskVersions(case).add(mask, parent=1, kind="manual")

    threads = [threading.Thread(target=save) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.version for each in MaskVersions(case).all()] == list(range(1, 8))


def test_a_folder_that_cannot_be_written_is_an_error(
    case: Path, mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(ScanError, match="No space left"):
        MaskVersions(case).add(mask, parent=1, kind="manual")


def test_voxels_of_a_version_are_those_of_the_mask(case: Path, mask: Mask) -> None:
    labels = np.random.default_rng(0).integers(0, 2, mask.labels.shape).astype(np.uint8)
    saved = MaskVersions(case).add(
        Mask(labels, mask.geometry, mask.header), parent=1, kind="manual"
    )
    found = read_version(case, MaskVersions(case).mask_file(saved.version))
    assert np.array_equal(found.labels, labels)
