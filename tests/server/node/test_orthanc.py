"""Orthanc as the archive: by C-STORE, STOW-RS, QIDO-RS and WADO-RS. Skipped where it is not installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest

from archive import Archive, archive, needs_dicomweb, until
from orthanc import free_port
from quick_node import QuickNode, study

pytestmark = needs_dicomweb
NODE_PORT = free_port()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with archive(tmp_path_factory.mktemp("orthanc"), node=NODE_PORT) as found:
        yield found


@pytest.fixture
def files(orthanc: Archive, tmp_path: Path) -> list[Path]:
    """A study, which is the only one in the archive."""
    for each in json.loads(orthanc.get("/studies")):
        orthanc.delete(f"/studies/{each}")
    found = study(tmp_path / "in", slices=5)
    orthanc.add(tmp_path / "in")
    return found


def uid(files: list[Path]) -> str:
    found: str = pydicom.dcmread(files[0]).StudyInstanceUID
    return found


def assert_holds_the_box(orthanc: Archive, files: list[Path]) -> None:
    """SEG and SR are in the study, and each voxel of the SEG is that of the threshold."""
    results = until(lambda: "SR" in orthanc.results() and orthanc.results())
    [seg], [report] = results["SEG"], results["SR"]
    assert {seg.StudyInstanceUID, report.StudyInstanceUID} == {uid(files)}
    sources = [
        group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        for group in seg.PerFrameFunctionalGroupsSequence
    ]
    frames = dict(zip(sources, seg.pixel_array, strict=True))
    assert len(frames) == len(files)
    for image in map(pydicom.dcmread, files):
        expected = image.pixel_array - 1024.0 > 500
        assert expected.any()
        np.testing.assert_array_equal(frames[image.SOPInstanceUID], expected)


def test_a_study_that_orthanc_sends_comes_back_with_its_results(
    orthanc: Archive, files: list[Path], tmp_path: Path
) -> None:
    store = f'ae_title = "ORTHANC"\nhost = "127.0.0.1"\nport = {orthanc.port}'
    web = f'name = "web"\nurl = "{orthanc.dicomweb}"\nobjects = ["dicom_sc"]'
    with QuickNode(tmp_path / "node", [store, web], port=NODE_PORT) as node:
        [name] = json.loads(orthanc.get("/studies"))
        orthanc.post("/modalities/node/store", name.encode())
        assert node.until("job_ended")["outcome"] == "done"
        assert_holds_the_box(orthanc, files)
        assert [len(found) for found in orthanc.results().values()] == [1, 1, 1]
        # the archive forwards the whole study, results included: nothing comes back a second time
        orthanc.post("/modalities/node/store", name.encode())
        node.until("job_ended", 2)
        assert {each["event"] for each in node.events() if "object" in each} == {
            "delivered",
            "already_there",
        }
        assert [len(found) for found in orthanc.results().values()] == [1, 1, 1]


def test_a_study_is_fetched_segmented_and_sent_by_one_command(
    orthanc: Archive, files: list[Path], command, segmenter, tmp_path: Path
) -> None:
    address = f"dicomweb:{orthanc.dicomweb}/studies/{uid(files)}"
    out = tmp_path / "out"
    done = command("segment", "-i", address, "-o", out, "--send")
    assert done.code == 0, done.err
    assert "2 objects sent." in done.err
    assert_holds_the_box(orthanc, files)
    written = sorted(path.name for path in out.rglob("*") if path.is_file())
    assert written == ["liver.nii.gz", "liver_seg.dcm", "liver_sr.dcm", "run.json"]
    again = command("segment", "-i", address, "-o", out / "liver.dcm", "--send")
    assert again.code == 0, again.err
    assert [len(found) for found in orthanc.results().values()] == [1, 1]


def test_a_series_can_be_fetched_and_its_results_sent_by_store(
    orthanc: Archive, files: list[Path], command, segmenter, tmp_path: Path
) -> None:
    series = pydicom.dcmread(files[0]).SeriesInstanceUID
    address = f"dicomweb:{orthanc.dicomweb}/studies/{uid(files)}/series/{series}"
    to = f"ORTHANC@127.0.0.1:{orthanc.port}"
    done = command("segment", "-i", address, "-o", tmp_path / "out", "--send-to", to)
    assert done.code == 0, done.err
    assert_holds_the_box(orthanc, files)


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        ("{web}/studies/1.2.3.999", 4, "the study cannot be fetched (HTTP status 404)"),
        ("{web}/studies/Doe", 2, "not that of a study"),
        ("{web}", 2, "not that of a study"),
        ("http://me:pw@127.0.0.1/studies/1.2", 2, "not that of a study"),
        ("http://127.0.0.1:9/dicom-web/studies/1.2", 4, "the study cannot be fetched (no answer"),
        ("{http}/studies/1.2", 4, "the study cannot be fetched"),
    ],
)
def test_a_study_that_cannot_be_fetched_is_one_line_and_leaves_nothing(
    orthanc: Archive, command, segmenter, tmp_path: Path, address: str, code: int, message: str
) -> None:
    text = "dicomweb:" + address.format(web=orthanc.dicomweb, http=orthanc.http)
    done = command("segment", "-i", text, "-o", tmp_path / "out")
    assert (done.code, done.err.count("\n")) == (code, 1)
    assert message in done.err
    assert not (tmp_path / "out").exists()
    assert segmenter.loads == 0


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # pynetdicom's sockets
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--send"], 2, "--send is set, but the scan does not come from an archive"),
        (["--send-to", "PACS"], 2, "expected AETITLE@HOST:PORT"),
        (["--send-to", "PACS@127.0.0.1:9"], 7, "the results cannot be sent (no association"),
        (["--send-to", "OTHER@127.0.0.1:{port}"], 7, "check the AE titles"),
    ],
)
def test_results_that_cannot_be_sent_are_one_line(
    orthanc: Archive, files, command, segmenter, tmp_path, options, code: int, message: str
) -> None:
    options = [each.format(port=orthanc.port) for each in options]
    done = command("segment", "-i", tmp_path / "in", "-o", tmp_path / "out", "-q", *options)
    assert (done.code, message in done.err) == (code, True), done.err
    assert (tmp_path / "out").exists() == (code == 7)  # the results are kept
