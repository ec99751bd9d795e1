"""Corrections, drafts, decisions, tools and exports of a running server."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from viewer_server import Viewer, edited, nifti


def post_mask(server: Viewer, case: str, content: bytes, **query: str):
    return server.client.post(f"/api/cases/{case}/versions", params=query, content=content)


@pytest.fixture
def corrected(server: Viewer, case: str) -> np.ndarray:
    """The newest mask with another voxel of difference."""
    values = np.asarray(server.mask(case).dataobj).copy()
    empty = np.argwhere(values == 0)
    values[tuple(empty[len(server.case(case)["versions"]) * 7])] = 1
    return values


def test_every_voxel_of_a_correction_is_saved_and_no_other(
    server: Viewer, case: str, corrected: np.ndarray
) -> None:
    before = server.mask(case)
    saved = post_mask(server, case, edited(before, corrected), author="Jane Roe", note="rim")
    assert saved.status_code == 201, saved.text
    after = server.mask(case, saved.json()["version"])
    assert np.array_equal(np.asarray(after.dataobj), corrected)
    assert after.header.binaryblock == before.header.binaryblock
    assert np.array_equal(
        np.asarray(server.mask(case, 1).dataobj) > 0, np.asarray(server.mask(case, 1).dataobj) == 1
    )
    record = server.case(case)["versions"][-1]
    assert (record["author"], record["note"], record["kind"]) == (
        "Jane Roe",
        "rim",
        "semiautomatic",
    )
    assert record["parent"] == record["version"] - 1


def test_measurements_follow_a_correction_at_once(
    server: Viewer, case: str, corrected: np.ndarray
) -> None:
    saved = post_mask(server, case, edited(server.mask(case), corrected)).json()
    measured = {each["name"]: each["value"] for each in saved["measurements"]}
    assert measured["volume_ml"] == pytest.approx(corrected.sum() * 0.02, abs=1e-3)
    assert saved["predicted_dice"] is None
    assert saved["etag"] == server.case(case)["etag"]
    assert isinstance(saved["flags"], list)


def test_measurements_follow_a_stroke_that_is_not_saved(
    server: Viewer, case: str, corrected: np.ndarray
) -> None:
    before = server.case(case)["versions"]
    body = edited(server.mask(case), corrected)
    answer = server.client.post(f"/api/cases/{case}/tools/measure", content=body)
    assert answer.status_code == 200, answer.text
    measured = {each["name"]: each["value"] for each in answer.json()["measurements"]}
    assert measured["volume_ml"] == pytest.approx(corrected.sum() * 0.02, abs=1e-3)
    assert server.case(case)["versions"] == before


def test_an_older_version_has_its_own_measurements(
    server: Viewer, case: str, corrected: np.ndarray
) -> None:
    post_mask(server, case, edited(server.mask(case), corrected))
    first = server.client.get(f"/api/cases/{case}/versions/1").json()
    measured = {each["name"]: each["value"] for each in first["measurements"]}
    voxels = (np.asarray(server.mask(case, 1).dataobj) > 0).sum()
    assert measured["volume_ml"] == pytest.approx(voxels * 0.02, abs=1e-3)
    assert first["version"] == 1


def test_saving_over_a_newer_version_keeps_both_and_tells(
    server: Viewer, case: str, corrected: np.ndarray
) -> None:
    base = str(server.case(case)["version"])
    image = server.mask(case)
    first = post_mask(server, case, edited(image, corrected), parent=base).json()
    second = post_mask(server, case, edited(image, 1 - corrected), parent=base).json()
    assert (first["conflict"], second["conflict"]) == (False, True)
    assert np.array_equal(np.asarray(server.mask(case, first["version"]).dataobj), corrected)
    assert np.array_equal(np.asarray(server.mask(case, second["version"]).dataobj), 1 - corrected)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (nifti(np.zeros((24, 20, 9), np.uint8)), "voxels; expected the 24 x 20 x 8"),
        (nifti(np.zeros((24, 20, 8), np.uint8), np.diag([2, 2, 6.0, 1])), "placed or oriented"),
        (nifti(np.full((24, 20, 8), 0.5, np.float32)), "not whole numbers"),
        (b"\x1f\x8b nonsense", "expected"),
        (b"", "expected"),
    ],
)
def test_a_mask_that_does_not_fit_is_rejected_in_one_line(
    server: Viewer, case: str, content: bytes, says: str
) -> None:
    before = len(server.case(case)["versions"])
    answer = post_mask(server, case, content)
    assert answer.status_code == 422
    assert says in answer.json()["error"]
    assert len(server.case(case)["versions"]) == before


def test_a_small_file_that_declares_a_huge_array_is_rejected_unread(
    server: Viewer, case: str
) -> None:
    header = nib.Nifti1Header()
    header.set_data_shape((1000, 1000, 1000))
    bomb = gzip.compress(header.binaryblock + bytes(4) + bytes(2**24))
    assert "voxels; expected the" in post_mask(server, case, bomb).json()["error"]


def test_a_draft_is_kept_for_each_window_and_version(
    server: Viewer, case: str, corrected: np.ndarray
) -> None:
    post_mask(server, case, edited(server.mask(case), corrected))
    url = f"/api/cases/{case}/draft"
    kept = [("one", "1", b"first"), ("one", "2", b"second"), ("two", "1", b"third")]
    for window, parent, content in kept:
        query = {"window": window, "parent": parent, "kind": "manual"}
        assert server.client.put(url, params=query, content=content).json()["kind"] == "manual"
    for window, parent, content in kept:
        query = {"window": window, "parent": parent}
        assert server.client.get(url, params=query).content == content
    assert server.client.get(url, params={"window": "one"}).content == b"second"  # the newest
    server.client.delete(url, params={"window": "one", "parent": "1"})
    left = [(each["window"], each["parent"]) for each in server.case(case)["drafts"]]
    assert left == [("one", 2), ("two", 1)]
    for window in ("one", "two"):
        server.client.delete(url, params={"window": window})
    assert server.case(case)["drafts"] == []
    assert server.client.get(url, params={"window": "one"}).status_code == 404
    assert server.client.put(url, params={"window": "../x"}, content=b"").status_code == 422


def test_saving_removes_the_draft_of_the_window_and_version_alone(
    server: Viewer, case: str, corrected: np.ndarray
) -> None:
    content = edited(server.mask(case), corrected)
    url, newest = f"/api/cases/{case}/draft", str(server.case(case)["version"])
    for parent in ("", "1"):
        server.client.put(url, params={"window": "w", "parent": parent}, content=content)
    assert post_mask(server, case, content, window="w").status_code == 201
    assert server.client.get(url, params={"window": "w", "parent": newest}).status_code == 404
    assert server.client.get(url, params={"window": "w", "parent": "1"}).status_code == 200
    server.client.delete(url, params={"window": "w"})


def test_a_decision_on_a_case_that_changed_meanwhile_is_rejected(server: Viewer, case: str) -> None:
    url, etag = f"/api/cases/{case}/review", server.case(case)["etag"]
    body = {"state": "accepted", "note": "fine", "reviewer": "Jane", "version": 1}
    accepted = server.client.put(url, json=body, headers={"if-match": f'"{etag}"'})
    assert accepted.json()["review"]["state"] == "accepted"
    late = server.client.put(url, json={"state": "rejected"}, headers={"if-match": etag})
    assert late.status_code == 412
    assert server.client.get(url).json()["note"] == "fine"
    assert server.client.put(url, json={"state": "splendid"}).status_code == 422
    server.client.put(url, json={"state": "rejected"})
    assert server.client.get(url).json()["version"] == server.case(case)["version"]


def test_tools_change_a_mask_without_saving_it(server: Viewer, case: str) -> None:
    image, versions = server.mask(case), len(server.case(case)["versions"])
    values = np.zeros((24, 20, 8), np.uint8)
    values[5:15, 5:15, 1] = values[5:15, 5:15, 5] = 1
    url = f"/api/cases/{case}/tools"
    filled = server.client.post(
        f"{url}/interpolate", params={"axis": "k"}, content=edited(image, values)
    )
    result = np.asarray(nib.Nifti1Image.from_bytes(gzip.decompress(filled.content)).dataobj)
    assert result[5:15, 5:15, 1:6].all()
    assert result.sum() == 500
    removed = server.client.post(
        f"{url}/remove-island", params={"voxel": "6,6,5"}, content=edited(image, values)
    )
    result = np.asarray(nib.Nifti1Image.from_bytes(gzip.decompress(removed.content)).dataobj)
    assert result.sum() == 100
    assert not result[..., 5].any()
    wrong = server.client.post(
        f"{url}/remove-island", params={"voxel": "1"}, content=edited(image, values)
    )
    assert wrong.status_code == 422
    assert len(server.case(case)["versions"]) == versions


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("nifti", b"\x1f\x8b"),
        ("mesh", b""),
        ("report-html", b"<!"),
        ("report-pdf", b"%PDF"),
        ("json", b"{"),
        ("csv", b"volume_ml"),
    ],
)
def test_a_version_is_exported_as_a_download(
    server: Viewer, case: str, kind: str, start: bytes
) -> None:
    answer = server.client.get(f"/api/cases/{case}/export", params={"type": kind, "version": "1"})
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(start)
    assert len(answer.content) > 80
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment")
    assert f"liver_{kind}_v001" in disposition


def test_dicom_exports_of_other_scans_are_rejected(server: Viewer, case: str) -> None:
    assert "dicom-seg" not in server.case(case)["exports"]
    answer = server.client.get(f"/api/cases/{case}/export", params={"type": "dicom-seg"})
    assert answer.status_code == 422
    assert "DICOM" in answer.json()["error"]
