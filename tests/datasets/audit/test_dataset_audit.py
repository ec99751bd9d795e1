"""What is planted into a sound dataset is found, named, and nothing else is."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from layouts import AFFINE, save, scan, write_chaos, write_nnunet
from rma_mamba.datasets.audit import AuditResult, audit, summary_table, to_json, to_markdown
from rma_mamba.datasets.layouts import LayoutOptions, open_dataset

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def found(report: AuditResult) -> dict[str, tuple[str, ...]]:
    """The one finding of each kind."""
    kinds = Counter(finding.kind for finding in report.findings)
    assert max(kinds.values(), default=0) <= 1, report.findings
    return {finding.kind: finding.cases for finding in report.findings}


def audited(name: str, root: Path, **options: object) -> AuditResult:
    return audit(open_dataset(name, root, LayoutOptions(**options)))  # type: ignore[arg-type]


def label_of(root: Path, n: int) -> Path:
    return root / "labels" / f"case_{n}.nii.gz"


@pytest.mark.parametrize("name", ["cirrmri600", "chaos", "folders"])
def test_a_sound_dataset_has_no_findings(tmp_path: Path, request, name: str) -> None:
    fixture = "cirrmri" if name == "cirrmri600" else name
    root = write_chaos(tmp_path) if name == "chaos" else request.getfixturevalue(fixture)
    report = audited(name, root)
    if name == "chaos":  # the test's T1 and T2 of a patient have the same label
        assert {finding.kind for finding in report.findings} == {"duplicate label"}
        assert report.errors == []
    else:
        assert report.findings == ()
    assert len(report.cases) == len(report.dataset.cases)


def test_a_patient_in_t1_train_and_t2_test_is_on_two_sides(cirrmri: Path) -> None:
    for kind in ("images", "masks"):
        folder = cirrmri / "Cirrhosis_T2_3D"
        shutil.move(folder / f"train_{kind}" / "0003.nii.gz", folder / f"test_{kind}" / "3.nii.gz")
    report = audited("cirrmri600", cirrmri)
    assert found(report) == {"leakage": ("T1/train/0003", "T2/test/3")}
    assert report.cases_with_errors == {"T1/train/0003", "T2/test/3"}


def test_a_patient_of_the_test_may_not_be_in_the_folds(tmp_path: Path) -> None:
    folder = write_nnunet(tmp_path)
    assert audited("nnunet", folder).findings == ()
    shutil.move(folder / "imagesTs/pD_1_0000.nii.gz", folder / "imagesTs/pA_1_0000.nii.gz")
    shutil.move(folder / "labelsTs/pD_1.nii.gz", folder / "labelsTs/pA_1.nii.gz")
    assert found(audited("nnunet", folder)) == {"leakage": ("pA_1", "test/pA_1")}


def test_the_same_scan_under_two_numbers_is_found_whatever_its_file_is(folders: Path) -> None:
    for kind in ("images", "labels"):
        image = nib.load(folders / kind / "case_1.nii.gz")
        values = np.asanyarray(image.dataobj)[::-1].astype(np.float32)
        affine = AFFINE @ np.diag([-1.0, 1, 1, 1])
        affine[0, 3] = AFFINE[0, 0] * (values.shape[0] - 1)
        (folders / kind / "case_4.nii.gz").unlink()
        save(folders / kind / "case_4.nii", values, affine)
    assert found(audited("folders", folders)) == {"duplicate image": ("case_1", "case_4")}


def test_a_part_of_a_scan_is_the_same_scan(folders: Path) -> None:
    for kind in ("images", "labels"):
        values = np.asanyarray(nib.load(folders / kind / "case_1.nii.gz").dataobj)[:, :, 2:8]
        save(folders / kind / "case_4.nii.gz", values)
    (finding,) = audited("folders", folders).findings
    assert (finding.kind, finding.level) == ("duplicate image", "error")
    assert finding.text.startswith("duplicates: 6 slices are identical")


def test_a_label_of_another_case_is_found(folders: Path) -> None:
    shutil.copy(label_of(folders, 2), label_of(folders, 5))
    kinds = found(audited("folders", folders))
    kinds.pop("shifted label", None)  # it is, too
    assert kinds == {"duplicate label": ("case_2", "case_5")}


def test_two_equal_scans_of_one_patient_are_a_warning(folders: Path) -> None:
    for kind in ("images", "labels"):
        shutil.copy(folders / kind / "case_2.nii.gz", folders / kind / "case_2b.nii.gz")
    report = audited("folders", folders, patient=r"case_(\d).*")
    assert found(report) == {"duplicate image": ("case_2", "case_2b")}
    assert report.errors == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("moved", r"shifted by (+0.00, +1.00, +0.00) voxels"),
        (
            "spacing",
            "44 x 40 x 10 voxels of 2 x 2 x 5 mm, that of the image 44 x 40 x 10 voxels of 2 x 2 x 6",
        ),
        ("shape", "label is 43 x 40 x 10 voxels"),
        ("mirrored", "or rotated"),
    ],
)
def test_a_label_on_another_grid_is_found(folders: Path, change: str, message: str) -> None:
    liver, affine = scan(3)[1], AFFINE.copy()
    if change == "moved":
        affine[1, 3] -= 2.0
    elif change == "spacing":
        affine[2, 2] = 5.0
    elif change == "shape":
        liver = liver[1:]
    else:
        affine[0, 0] *= -1
    save(label_of(folders, 3), liver, affine)
    report = audited("folders", folders)
    assert found(report) == {"grid": ("case_3",)}
    assert message in report.errors[0].text


def test_a_label_stored_in_another_order_is_on_the_same_grid(folders: Path) -> None:
    liver, affine = scan(3)[1][:, ::-1], AFFINE @ np.diag([1.0, -1, 1, 1])
    affine[1, 3] = AFFINE[1, 1] * (liver.shape[1] - 1)
    save(label_of(folders, 3), liver, affine)
    assert audited("folders", folders).findings == ()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("step", [-1, 1])
def test_a_label_whose_content_is_shifted_is_found(folders: Path, axis: int, step: int) -> None:
    save(label_of(folders, 3), np.roll(scan(3)[1], step, axis))
    report = audited("folders", folders)
    assert found(report) == {"shifted label": ("case_3",)}
    assert report.errors == []
    ways = (("left", "right"), ("posterior", "anterior"), ("superior", "inferior"))[axis]
    assert f"further {ways[step > 0]}" in report.findings[0].text


def test_values_that_no_label_has_are_found(folders: Path) -> None:
    values = scan(3)[1].copy()
    values[0, 0, 0] = 7
    save(label_of(folders, 3), values)
    report = audited("folders", folders)
    assert found(report) == {"label values": ("case_3",)}
    assert "contains the values 7; expected 0-1." in report.errors[0].text


def test_what_is_said_of_many_cases_is_one_line(folders: Path) -> None:
    for n in (2, 4):
        save(label_of(folders, n), 3 * scan(n)[1])
    shown = to_markdown(audited("folders", folders))
    assert shown.count("**label values** case_2; case_4: the label contains the values 3;") == 1


def test_labels_of_0_and_255_and_of_floats_are_sound(folders: Path) -> None:
    save(label_of(folders, 2), scan(2)[1] * np.uint8(255))
    save(label_of(folders, 3), scan(3)[1].astype(np.float32))
    assert audited("folders", folders).findings == ()


def test_what_is_missing_empty_or_broken_is_found_and_the_rest_is_read(folders: Path) -> None:
    label_of(folders, 1).unlink()
    save(label_of(folders, 2), np.zeros_like(scan(2)[1]))
    (folders / "images" / "case_3.nii.gz").write_bytes(b"no scan")
    save(folders / "labels" / "other.nii.gz", scan(9)[1])
    report = audited("folders", folders)
    assert found(report) == {
        "missing label": ("case_1",),
        "empty label": ("case_2",),
        "unreadable": ("case_3",),
        "files": (),
    }
    assert len(report.errors) == 3
    assert len(report.cases) == 5
    shown = to_markdown(report)
    assert "## Errors: 3" in shown
    assert "1 label without an image" in shown


def test_a_patient_without_liver_in_any_picture_is_a_warning(cirrmri: Path) -> None:
    for path in (cirrmri / "Cirrhosis_T2_2D/train/0001/masks").iterdir():
        shutil.copy(next((cirrmri / "Cirrhosis_T2_2D/test/0008/masks").glob("0.png")), path)
    report = audited("cirrmri600", cirrmri)
    assert found(report) == {"empty label": ("T2 2D/train/0001",)}
    assert report.errors == []


def test_the_report_counts_what_there_is(cirrmri: Path) -> None:
    report = audited("cirrmri600", cirrmri)
    shown = to_markdown(report)
    slices = sum(bool(scan(107)[1][:, :, k].any()) for k in range(10))
    assert f"| T2 | val | 1 | 1 | 10 | {slices} | {10 - slices} |" in shown
    assert "| T1 | 2 | 6 | 44 x 40 | 10 | LPS (8) | 0, 1 |" in shown
    assert "| T2 2D | - | - | 44 x 40 | 10 | - | 0, 255 |" in shown
    assert "- severe: 2 train, 0 val, 1 test" in shown
    content = json.loads(to_json(report))
    case = next(each for each in content["cases"] if each["name"] == "T2/valid/0007")
    assert case["severity"] == "moderate"
    assert case["slices_with_liver"] == slices
    assert case["spacing_mm"] == [2.0, 2.0, 6.0]


def test_the_summary_counts_without_reading_voxels(cirrmri: Path) -> None:
    for path in cirrmri.rglob("0007.nii.gz"):  # headers stay readable
        path.write_bytes(path.read_bytes()[:-40])
    (cirrmri / "Cirrhosis_T2_3D/test_images/0008.nii.gz").write_bytes(b"broken")
    shown = summary_table(open_dataset("cirrmri600", cirrmri))
    assert "| T1 | train | 6 | 6 | 60 | 0 |" in shown
    assert "| T2 | val | 1 | 1 | 10 | 0 |" in shown
    assert "| T2 2D | test | 1 | 0 | 10 | 0 |" in shown
    assert "Scans that cannot be read: 1." in shown


@pytest.mark.skipif(
    not DATA.is_dir(), reason="the public research scans do not lie beside this project"
)
def test_of_real_scans_the_shifted_one_alone_raises_an_alarm(tmp_path: Path) -> None:
    dataset = open_dataset("auto", DATA / "mr_t2_chaos")
    entries = list(dataset.cases)
    label = nib.load(entries[3].labels[0])
    path = save(tmp_path / "label.nii", np.roll(np.asanyarray(label.dataobj), 1, 2), label.affine)
    entries[3] = replace(entries[3], labels=(path,))
    report = audit(replace(dataset, cases=tuple(entries)))
    assert found(report) == {"shifted label": (entries[3].name,)}
    assert sum(case.slices for case in report.cases) == 577
