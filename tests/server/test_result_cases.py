"""Results without a NIfTI mask, results without their scans, and other series of a study, in a running server."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from clinical_series import blob, clinical_series
from dicom_series import save
from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.scans import read_scan, write_mask
from rma_mamba.scans.mask_reader import read_mask
from rma_mamba.server.small_bodies import MOST_BYTES
from rma_mamba.volume import Mask
from viewer_server import Viewer, edited, viewer

NAMES = ("good", "contours", "other frame", "broken", "two unknown")


def series(number: int, slices: int = 12) -> list[pydicom.Dataset]:
    """A series of its own."""
    found = clinical_series(slices=slices)
    for k, each in enumerate(found):
        each.SeriesInstanceUID = f"1.2.826.0.1.3680043.8.498.7{number}"
        each.SOPInstanceUID, each.SeriesNumber = f"{each.SeriesInstanceUID}.{k}", number
        each.SeriesDescription = f"Phase {number}"
    return found


def unknown_structures(data: pydicom.Dataset) -> None:
    other = pydicom.Dataset()
    other.update(data.SegmentSequence[0])
    other.SegmentNumber = 2
    data.SegmentSequence.append(other)
    for each in data.SegmentSequence:
        each.SegmentLabel = "Thing"
        each.SegmentedPropertyTypeCodeSequence[0].CodeValue = "1"


EDITS: dict[str, Callable[[pydicom.Dataset], None]] = {
    "other frame": lambda data: setattr(data, "FrameOfReferenceUID", "1.2.3"),
    "broken": lambda data: data.__delitem__("PixelData"),
    "two unknown": unknown_structures,
}


@dataclass
class Bench:
    """A server of results whose masks are DICOM objects, and the cases by name."""

    server: Viewer
    scans: Path
    labels: np.ndarray[Any, Any]

    def row(self, name: str) -> dict[str, Any]:
        (found,) = (row for row in self.rows() if row["name"] == name)
        return found

    def rows(self) -> list[dict[str, Any]]:
        return list(self.server.client.get("/api/cases").json())


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans, and a mask of each in a folder of the results."""
    root = tmp_path_factory.mktemp("objects")
    (root / "scans").mkdir()
    for number, name in enumerate(NAMES):
        scan = read_scan(save(root / "scans" / name, series(number)))
        mask = Mask(blob(scan.geometry.shape), scan.geometry, scan.header, scan.source_images)
        kind = "dicom_rtstruct" if name == "contours" else "dicom_seg"
        path = root / "results" / name / "liver.dcm"
        path.parent.mkdir(parents=True)
        write_mask(mask, path, kind)
        if edit := EDITS.get(name):
            data = pydicom.dcmread(path)
            edit(data)
            data.save_as(path)
    return root


@pytest.fixture(scope="module")
def bench(weights: Path, folders: Path) -> Iterator[Bench]:
    with viewer(weights, folders / "scans", folders / "results") as server:
        found = Bench(server, folders / "scans", blob((24, 30, 12)))
        until = time.monotonic() + 90
        while time.monotonic() < until:
            rows = found.rows()
            if len(rows) == len(NAMES) and all(
                row["thumbnail"] or row["status"] == "failed" for row in rows
            ):
                break
            time.sleep(0.1)
        yield found


@pytest.mark.parametrize("name", ["good", "contours"])
def test_the_mask_of_a_dicom_object_is_shown_voxel_by_voxel(bench: Bench, name: str) -> None:
    row = bench.row(name)
    assert (row["status"], row["version"]) == ("done", 1)
    assert row["volume_ml"] > 0
    assert np.array_equal(np.asarray(bench.server.mask(row["id"]).dataobj), bench.labels)
    scan = bench.server.client.get(f"/api/cases/{row['id']}/scan.nii.gz")
    image = nib.Nifti1Image.from_bytes(gzip.decompress(scan.content))
    assert np.allclose(image.affine, bench.server.mask(row["id"]).affine, atol=1e-4)


def test_masks_that_do_not_fit_are_failed_cases_with_a_line_each(bench: Bench) -> None:
    errors = {row["name"]: row["error"] for row in bench.rows() if row["status"] == "failed"}
    assert set(errors) == {"other frame", "broken", "two unknown"}
    for name, words in (("other frame", "frame of reference"), ("two unknown", "2 structures")):
        assert words in errors[name]
    assert not any("\n" in error for error in errors.values())
    found = bench.server.case(bench.row("broken")["id"])
    assert (found["is_result"], found["exports"], found["versions"]) == (True, [], [])


def test_a_dicom_object_is_corrected_decided_on_and_exported(bench: Bench) -> None:
    case = bench.row("good")["id"]
    url = f"/api/cases/{case}"
    values = bench.labels.copy()
    values[2:5, 3:6, 4] = 1
    body = edited(bench.server.mask(case), values)
    saved = bench.server.client.post(f"{url}/versions?parent=1&author=Roe^Jane", content=body)
    assert saved.status_code == 201, saved.text
    measured = {each["name"]: each["value"] for each in saved.json()["measurements"]}
    assert measured["volume_ml"] == pytest.approx(values.sum() * 0.9 * 1.3 * 2.7 / 1000, abs=1e-3)
    decided = bench.server.client.put(f"{url}/review", json={"state": "corrected", "version": 2})
    assert decided.json()["review"]["state"] == "corrected"
    for kind in ("dicom-seg", "rtstruct"):
        answer = bench.server.client.get(f"{url}/export?type={kind}")
        assert answer.status_code == 200, answer.text
        data = pydicom.dcmread(io.BytesIO(answer.content))
        path = bench.scans.parent / f"{kind}.dcm"
        path.write_bytes(answer.content)
        read = read_mask(path, read_scan(bench.scans / "good"))
        assert np.array_equal(read.mask.labels, values)
        if kind == "dicom-seg":
            assert data.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert np.array_equal(np.asarray(bench.server.mask(case, 1).dataobj), bench.labels)


def test_a_mask_of_any_format_is_imported_as_the_newest_version(bench: Bench) -> None:
    case = bench.row("contours")["id"]
    url = f"/api/cases/{case}"
    wanted = np.roll(bench.labels, 1, axis=0)
    scan = read_scan(bench.scans / "contours")
    made = MaskProvenance("automatic", None, "Other tool", "2")
    mask = Mask(wanted, scan.geometry, scan.header, scan.source_images, provenance=made)
    image = nib.Nifti1Image(wanted.astype(np.int64), scan.geometry.affine, dtype=np.int64)
    nib.save(image, bench.scans.parent / "sent.nii")
    write_mask(mask, bench.scans.parent / "sent.dcm", "dicom_seg")
    assert len(image.to_bytes()) > MOST_BYTES
    for name in ("sent.dcm", "sent.nii"):
        path = bench.scans.parent / name
        answer = bench.server.client.post(f"{url}/masks", content=path.read_bytes())
        assert answer.status_code == 201, answer.text
        assert np.array_equal(np.asarray(bench.server.mask(case).dataobj), wanted)
    first, second, third = bench.server.case(case)["versions"]
    assert (second["parent"], second["tool"]) == (first["version"], "Other tool 2")
    assert third["tool"] == "not stated"
    exported = bench.server.client.get(f"{url}/export?type=dicom-seg&version=2")
    segment = pydicom.dcmread(io.BytesIO(exported.content)).SegmentSequence[0]
    assert segment.SegmentAlgorithmName == "Other tool"
    wrong = bench.server.client.post(f"{url}/masks", content=b"no mask")
    assert (wrong.status_code, "\n" in wrong.json()["error"]) == (422, False)


def test_another_series_of_a_study_is_opened_as_a_case_of_its_own(
    bench: Bench, tmp_path: Path
) -> None:
    server = bench.server
    for number, slices in ((1, 12), (2, 6)):
        save(tmp_path / str(number), series(number, slices))
    scan = read_scan(tmp_path / "1")
    labels = blob(scan.geometry.shape)
    mask = Mask(labels, scan.geometry, scan.header, scan.source_images)
    write_mask(mask, tmp_path / "1" / "IM_seg.dcm", "dicom_seg")
    files = [
        (f"study/{path.parent.name}/{path.name}", path.read_bytes())
        for path in sorted(tmp_path.rglob("IM*"))
    ]
    (first,) = server.upload(*files)["cases"]
    assert server.case(first)["series_count"] == 3
    url = f"/api/cases/{first}/series"
    rows = server.client.get(url).json()
    listed = [(each["modality"], each["description"], each["slices"]) for each in rows[:2]]
    assert listed == [("CT", "Phase 1", 12), ("CT", "Phase 2", 6)]
    assert [each["is_shown"] for each in rows] == [True, False, False]
    assert [(each["can_open"], each["is_mask"]) for each in rows[1:]] == [
        (True, False),
        (False, True),
    ]
    assert "uid" not in rows[0]
    (second,) = server.client.post(url, json={"series": 2}).json()["cases"]
    assert second != first
    assert server.wait(second)["status"] == "done"
    assert server.mask(second).shape == (24, 30, 6)
    assert server.client.post(url, json={"series": 2}).json()["cases"] == [second]
    assert server.client.post(url, json={"series": 1}).json()["cases"] == [first]
    assert server.client.post(url, json={"series": 9}).status_code == 422
    again = server.client.get(f"/api/cases/{second}/series").json()
    assert [(each["is_shown"], each["case"]) for each in again[:2]] == [
        (False, first),
        (True, second),
    ]
    server.wait(first)
    assert server.client.post(url, json={"series": 3}).json()["cases"] == [first]
    assert np.array_equal(np.asarray(server.mask(first, 2).dataobj), labels)
    wrong = server.client.post(f"/api/cases/{second}/series", json={"series": 3})
    assert (wrong.status_code, "lie outside" in wrong.text) == (422, True)
    (record,) = (bench.scans.parent / "results").rglob("upload.json")
    recorded = json.loads(record.read_text())["cases"]  # found again when the server starts
    assert [each["name"] for each in recorded] == ["study", "study/series_02"]
    assert "series" in recorded[1]


def test_a_copy_of_the_results_lists_its_own_cases_and_names_missing_scans(
    weights: Path, bench: Bench, folders: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(
        folders / "results", tmp_path / "copy", ignore=lambda *_: {"lock", "uploads"}
    )
    with viewer(weights, None, copy) as server:
        until = time.monotonic() + 60
        while len(rows := server.wait_for_rows()) < len(NAMES) and time.monotonic() < until:
            time.sleep(0.1)
        assert sorted(row["name"] for row in rows) == sorted(NAMES)
        assert {row["has_scan"] for row in rows} == {False}
        good = next(row["id"] for row in rows if row["name"] == "good")
        answer = server.client.get(f"/api/cases/{good}/scan.nii.gz")
        assert answer.status_code == 404
        assert "--scans FOLDER" in answer.json()["error"]
        assert server.case(good)["review"]["state"] == bench.row("good")["review"]["state"]
