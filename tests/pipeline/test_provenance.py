"""run.json: the identity of inputs, and whether results are complete."""

import json
from pathlib import Path

import pytest

from rma_mamba.pipeline.provenance import input_sha256, is_complete, with_files

RUN = {"input_sha256": "a", "weights_sha256": "b", "settings": {"x": (1, 2)}, "rma_mamba": "0.2.0"}


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A folder of results with its run.json."""
    (tmp_path / "liver.nii.gz").write_bytes(b"mask")
    (tmp_path / "preview.png").write_bytes(b"image")
    path = tmp_path / "run.json"
    path.write_text(json.dumps(with_files(RUN, tmp_path)))
    return path


def test_unchanged_results_of_the_same_run_are_complete(record: Path) -> None:
    wanted = [record.with_name("liver.nii.gz")]
    assert is_complete(record, RUN, wanted)
    assert is_complete(record, {**RUN, "device": "cuda"}, wanted)


@pytest.mark.parametrize("key", sorted(RUN))
def test_results_of_another_run_are_not_complete(record: Path, key: str) -> None:
    assert not is_complete(record, {**RUN, key: "other"}, [])


def test_missing_or_changed_files_are_not_complete(record: Path) -> None:
    assert not is_complete(record, RUN, [record.with_name("report.pdf")])
    record.with_name("preview.png").write_bytes(b"edited")
    assert not is_complete(record, RUN, [record.with_name("liver.nii.gz")])
    record.with_name("preview.png").unlink()
    assert not is_complete(record, RUN, [record.with_name("liver.nii.gz")])


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"files": 3}', "null"])
def test_a_corrupt_record_is_not_complete(record: Path, text: str) -> None:
    record.write_text(text)
    assert not is_complete(record, RUN, [])


def test_a_folder_is_identified_by_content_and_not_by_names(tmp_path: Path) -> None:
    for name, files in {"a": "12", "b": "21", "c": "13"}.items():
        (tmp_path / name / "deep").mkdir(parents=True)
        for number, content in enumerate(files):
            (tmp_path / name / ("deep" if number else ".") / f"{name}{number}").write_text(content)
    digests = {name: input_sha256(tmp_path / name) for name in "abc"}
    assert digests["a"] == digests["b"] != digests["c"]


def test_both_files_of_an_analyze_pair_identify_it(tmp_path: Path) -> None:
    for name in ("a[1].hdr", "a[1].img", "a1.img"):
        (tmp_path / name).write_bytes(name.encode())
    header, image = tmp_path / "a[1].hdr", tmp_path / "a[1].img"
    before = input_sha256(header)
    assert before == input_sha256(image)
    (tmp_path / "a1.img").write_bytes(b"another scan")
    assert input_sha256(header) == before
    image.write_bytes(b"other voxels")
    assert input_sha256(header) != before
