"""The work list and the files of a case, of a running server with workers."""

import gzip
import time
from pathlib import Path
from shutil import copy

import nibabel as nib
import numpy as np
import pytest

from viewer_server import Viewer, box_scan, events, nifti, viewer


def test_a_scan_is_segmented_to_the_files_that_segment_writes(
    server: Viewer, case: str, served: Path
) -> None:
    row = server.wait(case)
    folder = served / "rma-mamba-results" / row["name"]
    written = {path.name for path in folder.iterdir()}
    assert written == {
        *("liver.nii.gz", "uncertainty.nii.gz", "preview.png", "statistics.json", "run.json"),
        "review",
    }
    assert (folder / "review" / "v001" / "liver.nii.gz").read_bytes() == (
        folder / "liver.nii.gz"
    ).read_bytes()


def test_a_row_has_what_the_work_list_shows(server: Viewer, case: str) -> None:
    row = server.wait(case)
    assert row["light"] in ("green", "yellow", "red")
    assert row["review"]["state"] == "unseen"
    assert row["version"] == 1
    assert row["error"] is None
    thumbnail = server.client.get(row["thumbnail"])
    assert thumbnail.content.startswith(b"\x89PNG")


def test_the_scan_is_on_its_own_grid(server: Viewer, case: str) -> None:
    answer = server.client.get(f"/api/cases/{case}/scan.nii.gz")
    image = nib.Nifti1Image.from_bytes(gzip.decompress(answer.content))
    assert np.array_equal(image.affine, np.diag([2.0, 2.0, 5.0, 1.0]))
    assert np.ptp(np.asarray(image.dataobj)) == 900
    scan = server.case(case)["scan"]
    assert scan["shape"] == [24, 20, 8]
    assert scan["spacing_mm"] == [2, 2, 5]
    assert scan["orientation"] == "RAS"
    assert scan["windows"][0]["min"] < scan["windows"][0]["max"]


def test_measurements_have_labels_and_units(server: Viewer, case: str) -> None:
    found = {each["name"]: each for each in server.case(case)["measurements"]}
    assert found["volume_ml"]["label"] == "Volume"
    assert found["volume_ml"]["unit"] == "mL"
    mask = np.asarray(server.mask(case).dataobj)
    assert found["volume_ml"]["value"] == pytest.approx(np.count_nonzero(mask) * 0.02, abs=1e-3)
    assert None not in {each["value"] for each in found.values()}


def test_a_flag_points_to_a_voxel(server: Viewer, case: str) -> None:
    flags = server.case(case)["flags"]
    assert flags
    placed = [flag["place"] for flag in flags if flag["place"]]
    for place in placed:
        i, j, k = place["voxel"]
        assert place["mm"] == [2 * i, 2 * j, 5 * k]
    assert {"name", "light", "words", "place"} == flags[0].keys()


def test_progress_ends_with_the_job(server: Viewer, case: str) -> None:
    stream = server.client.get(f"/api/cases/{case}/events").text
    (last,) = events(stream)
    assert last["stage"] == "done"
    assert last["fraction"] == 1


def test_no_address_and_no_answer_of_the_list_has_a_path(
    server: Viewer, case: str, served: Path
) -> None:
    listed = server.client.get("/api/browse").json()
    names = {each["name"]: each["path"] for each in listed["entries"]}
    assert set(names) == {"Doe_John", "first.nii.gz"}  # the folder of the results is not listed
    inside = server.client.get("/api/browse", params={"path": names["Doe_John"]}).json()
    assert inside["parent"] == ""
    assert [each["kind"] for each in inside["entries"]] == ["scan"]
    assert not any("/" in handle or "Doe" in handle for handle in names.values())
    for text in (*names.values(), server.client.get("/api/cases").text):
        assert str(served) not in text


def test_a_path_in_place_of_a_handle_is_not_opened(server: Viewer) -> None:
    for path in ("../", "/etc", "Doe_John"):
        answer = server.client.post("/api/open", json={"path": path})
        assert answer.status_code == 422
        assert "no such file" in answer.json()["error"]


def test_a_broken_scan_fails_with_one_line(server: Viewer) -> None:
    broken = server.upload(("broken.nii.gz", b"not a scan"))["cases"][0]
    row = server.wait(broken)
    assert row["status"] == "failed"
    assert "\n" not in row["error"]
    server.client.post(f"/api/cases/{broken}/restart")
    assert server.wait(broken)["status"] == "failed"


def test_a_case_that_waits_can_be_cancelled(server: Viewer) -> None:
    cases = server.upload(*((f"{n}.nii.gz", nifti(box_scan() + n)) for n in range(3)))["cases"]
    server.client.post(f"/api/cases/{cases[-1]}/cancel")
    assert server.wait(cases[-1])["status"] == "cancelled"
    assert [server.wait(each)["status"] for each in cases[:2]] == ["done", "done"]


def test_an_unknown_case_is_an_error_in_one_line(server: Viewer) -> None:
    answer = server.client.get("/api/cases/0123456789abcdef")
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("there is no such case")


def test_results_of_segment_open_in_the_list_without_an_index(
    server: Viewer, case: str, served: Path, weights: Path, tmp_path: Path
) -> None:
    name = server.wait(case)["name"]
    for each in ("run.json", "liver.nii.gz", "statistics.json"):
        (tmp_path / "out" / name).mkdir(parents=True, exist_ok=True)
        copy(served / "rma-mamba-results" / name / each, tmp_path / "out" / name / each)
    with viewer(weights, served, tmp_path / "out") as other:
        row = other.wait_for_rows()[0]
        until = time.monotonic() + 60  # thumbnails follow
        while other.client.get(row["thumbnail"]).status_code != 200 and time.monotonic() < until:
            time.sleep(0.1)
        assert other.client.get(row["thumbnail"]).content.startswith(b"\x89PNG")
        found = other.case(row["id"])
    assert (row["name"], row["status"], row["light"]) == (name, "done", server.wait(case)["light"])
    assert found["has_scan"]
    assert found["versions"][0]["kind"] == "automatic"
    assert not (served / "out").exists()
