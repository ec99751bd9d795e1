"""Uploads to a running server: archives, limits, private folders, deletion."""

import io
import stat
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from pydicom import dcmread

from clinical_series import clinical_series
from dicom_series import save
from rma_mamba.server.serve_options import UploadLimits
from viewer_server import Viewer, box_scan, edited, nifti, viewer


def archive(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return content.getvalue()


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("private") / "out"


@pytest.fixture(scope="module")
def private(weights: Path, out: Path) -> Iterator[Viewer]:
    limits = UploadLimits(bytes=2**20, files=20, keep_hours=1e-4)
    with viewer(weights, None, out, limits) as running:
        yield running


def stored(results: Path) -> list[Path]:
    return list((results / ".rma-mamba" / "uploads").iterdir())


def test_every_scan_of_an_archive_is_a_case(server: Viewer) -> None:
    files = {"study/one.nii.gz": nifti(box_scan()), "two.nii.gz": b"", "readme.txt": b"x"}
    packed = archive(files)
    answer = server.upload(("scans.zip", packed))
    rows = {row["id"]: row for row in server.client.get("/api/cases").json()}
    assert sorted(rows[case]["name"] for case in answer["cases"]) == ["study/one", "two"]
    for case in answer["cases"]:
        server.client.post(f"/api/cases/{case}/cancel")


def test_an_upload_is_private(server: Viewer, served: Path) -> None:
    state = served / "rma-mamba-results" / ".rma-mamba"
    for folder in (state, state / "uploads", *stored(served / "rma-mamba-results")):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_names_in_an_archive_lead_nowhere(server: Viewer, served: Path) -> None:
    packed = archive(
        {"../evil.nii": nifti(box_scan()), "/evil.nii": b"x", "good.nii": nifti(box_scan())}
    )
    answer = server.upload(("a.zip", packed))
    assert len(answer["cases"]) == 1
    assert {each["name"] for each in answer["skipped"]} == {"../evil.nii", "/evil.nii"}
    assert not list(served.parent.rglob("evil*"))
    server.client.post(f"/api/cases/{answer['cases'][0]}/cancel")


def test_a_zip_bomb_is_rejected_before_it_is_extracted(server: Viewer, served: Path) -> None:
    before = stored(served / "rma-mamba-results")
    packed = archive({"bomb": bytes(2**27)})
    answer = server.client.post("/api/uploads", files={"files": ("a.zip", packed)})
    assert answer.status_code == 422
    assert "declares 0.1 GB" in answer.json()["error"]
    assert stored(served / "rma-mamba-results") == before


def test_a_folder_of_dicom_slices_is_one_case(server: Viewer, tmp_path: Path) -> None:
    folder = save(tmp_path / "series", clinical_series())
    files = [(f"study/{path.name}", path.read_bytes()) for path in sorted(folder.iterdir())]
    (case,) = server.upload(*files)["cases"]
    assert server.wait(case)["status"] == "done"
    found = server.case(case)
    assert found["name"] == "study"
    assert found["is_dicom"]
    assert {"dicom-seg", "rtstruct", "dicom-sr"} <= {*found["exports"]}
    identity = server.client.get(f"/api/cases/{case}/identity").json()
    assert "Doe" in str(identity)
    assert "Doe" not in str(found)
    assert_a_correction_is_exported_as_one(server, case)


def assert_a_correction_is_exported_as_one(server: Viewer, case: str) -> None:
    """Check a DICOM SEG and an RTSTRUCT of a correction: its voxels, its kind, its author."""
    image = server.mask(case)
    labels = np.zeros(image.shape, np.uint8)
    labels[5:12, 8:20, 3:7] = 1
    url = f"/api/cases/{case}"
    author = {"author": "Roe^Jane", "kind": "semiautomatic"}
    saved = server.client.post(f"{url}/versions", params=author, content=edited(image, labels))
    assert saved.status_code == 201, saved.text
    seg = dcmread(io.BytesIO(server.client.get(f"{url}/export?type=dicom-seg").content))
    assert seg.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert seg.ContentCreatorName == "Roe^Jane"
    assert int(seg.pixel_array.sum()) == int(labels.sum())
    structures = dcmread(io.BytesIO(server.client.get(f"{url}/export?type=rtstruct").content))
    assert structures.StructureSetROISequence[0].ROIGenerationAlgorithm == "SEMIAUTOMATIC"
    report = dcmread(io.BytesIO(server.client.get(f"{url}/export?type=dicom-sr").content))
    assert "Roe^Jane" in str(report)
    first = server.client.get(f"{url}/export?type=dicom-seg&version=1").content
    assert dcmread(io.BytesIO(first)).SegmentSequence[0].SegmentAlgorithmType == "AUTOMATIC"


def test_limits_of_an_upload_are_kept(private: Viewer, out: Path) -> None:
    large = private.client.post("/api/uploads", files={"files": ("a.nii", bytes(2**20))})
    many = private.client.post("/api/uploads", files=[("files", (str(n), b"")) for n in range(21)])
    unpacked = archive(
        {f"{n}.nii": np.random.default_rng(n).bytes(2**17) for n in range(7)} | {"b": bytes(2**18)}
    )
    archived = private.client.post("/api/uploads", files={"files": ("a.zip", unpacked)})
    assert (large.status_code, many.status_code, archived.status_code) == (413, 413, 422)
    assert "larger than 1 MiB" in large.json()["error"]
    assert "in 20 files" in archived.json()["error"]
    assert not stored(out)


def test_a_body_of_unknown_length_ends_at_the_limit(private: Viewer, out: Path) -> None:
    def pieces():
        yield b'--XX\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        for _ in range(100):
            yield bytes(2**16)

    kind = {"content-type": "multipart/form-data; boundary=XX"}
    try:
        answer = private.client.post("/api/uploads", content=pieces(), headers=kind)
        assert answer.status_code == 413
    except httpx.WriteError:  # the server has closed the connection
        pass
    assert not stored(out)


def test_an_upload_without_a_scan_leaves_nothing(private: Viewer, out: Path) -> None:
    answer = private.client.post("/api/uploads", files={"files": ("../x", b"y")})
    assert answer.status_code == 422
    assert "no file that can be used" in answer.json()["error"]
    assert not stored(out)


def test_an_old_upload_is_deleted_with_its_case(private: Viewer, out: Path) -> None:
    (case,) = private.upload(("a.nii", nifti(box_scan())))["cases"]
    private.client.post(f"/api/cases/{case}/cancel")
    until = time.monotonic() + 30
    while stored(out) and time.monotonic() < until:
        time.sleep(0.1)
    assert not stored(out)
    assert private.client.get("/api/cases").json() == []
