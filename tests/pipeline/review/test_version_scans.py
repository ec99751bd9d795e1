"""Each version of a mask keeps the scan on which it was made, whatever is segmented later under the same name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from clinical_series import clinical_series
from command_line import FakeSegmenter
from dicom_series import save, zipped
from rma_mamba.errors import DataError, ScanError
from rma_mamba.pipeline import SegmentRequest, segment_case
from rma_mamba.pipeline.converting import ConvertRequest, convert_mask
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.request import ReadOptions
from rma_mamba.pipeline.review.mask_versions import MaskVersion, MaskVersions
from rma_mamba.pipeline.review.review_decision import write_decision
from rma_mamba.pipeline.review.training_dataset import ExportOptions, export_training_dataset
from rma_mamba.pipeline.review.version_export import export_version
from rma_mamba.pipeline.review.version_scans import scan_of_version
from rma_mamba.scans import read_scan

UID = "1.2.826.0.1.3680043.8.498.{}"
DARK, BRIGHT = 61, 62


def series(number: int, **elements: Any) -> list[pydicom.Dataset]:
    """A series with a noise and a liver of its own; all series are on one grid."""
    found = clinical_series(slices=8, **elements)
    for k, each in enumerate(found):
        each.SeriesInstanceUID, each.SeriesNumber = UID.format(number), number
        each.SOPInstanceUID = UID.format(f"{number}.{k}")
        pixels = np.frombuffer(each.PixelData, np.uint16).reshape(each.Rows, each.Columns).copy()
        pixels += np.random.default_rng([number, k]).integers(0, 50, pixels.shape, np.uint16)
        pixels[8 : 22 - number % 5, 6 : 18 - number % 3] += 900
        each.PixelData = pixels.tobytes()
    return found


def study(folder: Path, *numbers: int, **elements: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        save(folder / str(number), series(number, **elements))
    return folder


class Reader:
    """Someone who segments and reviews a case again and again."""

    def __init__(self, root: Path) -> None:
        self.root, self.out = root, root / "out"

    def segment(self, scan: Path, name: str = "case", **reading: Any) -> MaskVersion:
        """Segment, and make the mask a version."""
        request = SegmentRequest(reading=ReadOptions(**reading), outputs=("nifti", "statistics"))
        segment_case(Case(scan, name), self.out, request, segmenter=FakeSegmenter())
        version = MaskVersions(self.out / name).adopt_result()
        assert version is not None
        return version

    def accept(self, version: int, name: str = "case") -> None:
        write_decision(self.out / name, "accepted", version=version)

    def export(self, scans: Path, dataset: str = "dataset", **options: Any) -> Any:
        options = {"scans": scans, **options}
        return export_training_dataset(self.out, self.root / dataset, ExportOptions(**options))

    def image(self) -> np.ndarray[Any, Any]:
        """The only image in the dataset."""
        (found,) = (self.root / "dataset" / "reviewed" / "images").iterdir()
        return read_scan(found).values


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def nifti(path: Path, value: float, volumes: int = 1) -> Path:
    """A scan with a bright box, whose brightness is `value`; each volume is brighter than the one before."""
    random = np.random.default_rng(0)
    values = random.integers(80, 120, (24, 20, 12)).astype(np.int16)
    boxes = []
    for number in range(volumes):
        box = values.copy()
        box[6:18, 5:14, 2:10] += np.int16(value + 100 * number)
        boxes.append(box)
    path.parent.mkdir(parents=True, exist_ok=True)
    stack = np.stack(boxes, -1) if volumes > 1 else boxes[0]
    nib.save(nib.Nifti1Image(stack, np.diag([2.0, 2.0, 5.0, 1.0])), path)
    return path


def brightest(image: np.ndarray[Any, Any]) -> int:
    return int(image.max())


def is_series(image: np.ndarray[Any, Any], number: int, scan: Path) -> bool:
    expected = read_scan(scan, series=UID.format(number)).values
    return np.array_equal(np.sort(image, axis=None), np.sort(expected, axis=None))


def test_the_image_is_that_of_the_version_that_was_decided_on(reader: Reader) -> None:
    scan = study(reader.root / "scans" / "case", DARK, BRIGHT)
    for number, uid in enumerate((DARK, BRIGHT), 1):
        assert reader.segment(scan, series=UID.format(uid)).version == number
    for version, uid in ((1, DARK), (2, BRIGHT), (1, DARK)):
        reader.accept(version)
        reader.export(scan)
        assert is_series(reader.image(), uid, scan)
    records = json.loads((reader.root / "dataset" / "versions.json").read_text())["cases"]
    assert records["case"]["version"] == 1
    assert UID.format(DARK) not in json.dumps(records)
    assert len(list((reader.root / "dataset-volumes").iterdir())) == 1


def test_a_correction_keeps_the_scan_of_the_version_it_comes_from(reader: Reader) -> None:
    scan = study(reader.root / "scans" / "case", DARK, BRIGHT)
    for number in ("1", "2"):
        reader.segment(scan, series=number)
    versions = MaskVersions(reader.out / "case")
    from rma_mamba.pipeline.review.corrected_mask import read_version

    mask = read_version(reader.out / "case", versions.mask_file(1), versions.find(1))
    corrected = versions.add(mask, parent=1, kind="semiautomatic")
    assert corrected.scan == versions.find(1).scan != versions.find(2).scan
    reader.accept(3)
    reader.export(scan)
    assert is_series(reader.image(), DARK, scan)


def test_a_series_is_found_again_when_others_have_come(reader: Reader) -> None:
    scan = study(reader.root / "scans" / "case", BRIGHT)
    reader.segment(scan)
    reader.accept(1)
    study(scan, DARK)
    better = clinical_series(slices=14)
    save(scan / "better", better)
    assert read_scan(scan).geometry.shape[2] == 14
    reader.export(scan)
    assert is_series(reader.image(), BRIGHT, scan)


@pytest.mark.parametrize("decided", [1, 2])
def test_the_volume_of_a_4d_scan_is_that_of_the_version(reader: Reader, decided: int) -> None:
    scan = nifti(reader.root / "scans" / "case.nii.gz", 900, volumes=2)
    for volume in (1, 2):
        reader.segment(scan, volume=volume)
    reader.accept(decided)
    reader.export(reader.root / "scans")
    expected = read_scan(scan, volume=decided).values
    assert brightest(reader.image()) == brightest(expected)


@pytest.mark.parametrize(("decided", "value"), [(1, 800), (2, 1200)])
def test_another_scan_of_the_same_name_is_told_by_its_files(
    reader: Reader, decided: int, value: int
) -> None:
    for folder, brightness in (("a", 800), ("b", 1200)):
        reader.segment(nifti(reader.root / "scans" / folder / "case.nii.gz", brightness))
    reader.accept(decided)
    reader.export(reader.root / "scans")
    assert value + 80 <= brightest(reader.image()) < value + 120


def replaced(scan: Path) -> None:
    nifti(scan, 500)


def of_another_patient(scan: Path) -> None:
    values: Any = nib.load(scan)
    nib.save(nib.Nifti1Image(np.asarray(values.dataobj)[::-1], values.affine), scan)


def shifted(scan: Path) -> None:
    image: Any = nib.load(scan)
    affine = image.affine.copy()
    affine[0, 3] += 10
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), scan)


@pytest.mark.parametrize("change", [replaced, of_another_patient, shifted])
def test_a_scan_that_was_replaced_is_an_error_that_names_the_case(
    reader: Reader, change: Callable[[Path], None]
) -> None:
    scan = nifti(reader.root / "scans" / "case.nii.gz", 900)
    other = nifti(reader.root / "scans" / "other.nii.gz", 700)
    for path, name in ((scan, "case"), (other, "other")):
        reader.segment(path, name)
        reader.accept(1, name)
    change(scan)
    found = reader.export(reader.root / "scans")
    assert [case.name for case in found.cases] == ["other"]
    assert found.left_out["case"].startswith("the scan of case case is not the one on which")
    write_decision(reader.out / "other", "rejected")
    with pytest.raises(DataError, match=r"^the scan of case case is not the one") as error:
        reader.export(reader.root / "scans")
    assert "\n" not in str(error.value)


def test_a_scan_that_was_packed_again_is_the_same(reader: Reader) -> None:
    scan = nifti(reader.root / "scans" / "case.nii.gz", 900)
    reader.segment(scan)
    reader.accept(1)
    image: Any = nib.load(scan)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), image.affine), scan.with_name("case.nii"))
    scan.unlink()
    assert [case.name for case in reader.export(reader.root / "scans").cases] == ["case"]


def test_a_series_that_is_gone_is_an_error(reader: Reader) -> None:
    scan = study(reader.root / "scans" / "case", DARK, BRIGHT)
    for number in ("1", "2"):
        reader.segment(scan, series=number)
    rmtree(scan / str(DARK))
    version = MaskVersions(reader.out / "case").find(1)
    with pytest.raises(ScanError, match="version 1 of its mask was made"):
        scan_of_version(reader.out / "case", version, [Case(scan, "case")])
    version = MaskVersions(reader.out / "case").find(2)
    found = scan_of_version(reader.out / "case", version, [Case(scan, "case")])
    assert is_series(found.volume.values, BRIGHT, scan)


def test_a_dicom_export_refers_to_the_series_of_its_version(reader: Reader) -> None:
    scan = study(reader.root / "scans" / "case", DARK, BRIGHT)
    for number in ("1", "2"):
        reader.segment(scan, series=number)
    for version, uid in zip(MaskVersions(reader.out / "case").all(), (DARK, BRIGHT), strict=True):
        found = scan_of_version(reader.out / "case", version, [Case(scan, "case")])
        path = reader.root / f"{uid}.dcm"
        export_version(reader.out / "case", version, found.volume, "dicom-seg", path)
        referenced = pydicom.dcmread(path).ReferencedSeriesSequence[0].SeriesInstanceUID
        assert referenced == UID.format(uid)


def test_a_converted_mask_belongs_to_the_series_that_was_chosen(reader: Reader) -> None:
    scan = study(reader.root / "scans" / "case", DARK, BRIGHT)
    for number, uid in enumerate((DARK, BRIGHT), 1):
        reading = ReadOptions(series=str(number))
        volume = reading.read(scan)
        labels = (volume.values > 500).astype(np.uint8)
        mask = reader.root / "mask.nii.gz"
        nib.save(nib.Nifti1Image(labels, volume.geometry.affine), mask)
        request = ConvertRequest(reading=reading, outputs=("nifti",))
        convert_mask(mask, scan, f"{reader.out}/", request)
        version = MaskVersions(reader.out / "case").adopt_result()
        found = scan_of_version(reader.out / "case", version, [Case(scan, "case")])
        assert is_series(found.volume.values, uid, scan)
    version = MaskVersions(reader.out / "case").find(1)
    found = scan_of_version(reader.out / "case", version, [Case(scan, "case")])
    assert is_series(found.volume.values, DARK, scan)


def test_equal_masks_of_two_series_are_two_versions(reader: Reader) -> None:
    scan = study(reader.root / "scans" / "case", DARK)
    found = series(DARK)
    for each in found:
        each.SeriesInstanceUID, each.SOPInstanceUID = UID.format(99), f"{each.SOPInstanceUID}.9"
        each.PixelData = (np.frombuffer(each.PixelData, np.uint16) + 1).astype("<u2").tobytes()
    save(scan / "99", found)
    versions = [reader.segment(scan, series=number) for number in ("1", "2", "2", "1")]
    assert len({each.mask_sha256 for each in versions}) == 1
    assert [each.version for each in versions] == [1, 2, 2, 3]


def test_only_a_dicom_scan_needs_a_key(reader: Reader) -> None:
    scan = nifti(reader.root / "scans" / "case.nii.gz", 900)
    assert patients(reader, {"case": scan}, reader.root / "scans") == {"case": "case"}
    assert not (reader.out / ".rma-mamba").exists()


def test_a_version_by_an_earlier_release_is_read_as_the_last_run(reader: Reader) -> None:
    scan = study(reader.root / "scans" / "case", DARK, BRIGHT)
    reader.segment(scan, series="2")
    folder = MaskVersions(reader.out / "case").path(1)
    (folder / "run.json").unlink()
    record = json.loads((folder / "version.json").read_text())
    del record["scan"]
    (folder / "version.json").write_text(json.dumps(record))
    reader.accept(1)
    reader.export(scan)
    assert is_series(reader.image(), BRIGHT, scan)


def patients(
    reader: Reader, scans: dict[str, Path], folder: Path, dataset: str = "dataset"
) -> dict[str, str]:
    for name, scan in scans.items():
        reader.segment(scan, name)
        reader.accept(1, name)
    found = reader.export(folder, dataset)
    return {case.name: case.patient for case in found.cases}


def test_scans_of_a_patient_are_of_one_patient_in_every_dicom_form(reader: Reader) -> None:
    scans = reader.root / "scans"
    first = study(scans / "a", DARK, PatientName="Doe^John")
    second = study(scans / "b", BRIGHT, PatientName="DOE^JOHN", PatientID=" 4711 ")
    archive = zipped(study(reader.root / "c", 63, PatientName="Doe, J."), scans / "c.zip")
    other = study(scans / "d", 64, PatientID="4712")
    found = patients(reader, {"a": first, "b": second, "c": archive, "d": other}, scans)
    assert found["a"] == found["b"] == found["c"] != found["d"]
    assert "4711" not in json.dumps(found)
    assert patients(reader, {}, scans) == found


def test_a_name_decides_only_without_an_id(reader: Reader) -> None:
    scans = reader.root / "scans"
    forms = {"a": "Doe^John", "b": "DOE^JOHN^^", "c": "Roe^Jane", "d": "", "e": ""}
    number = iter(range(DARK, 99))
    cases = {
        name: study(
            scans / name,
            next(number),
            PatientID="",
            PatientName=text,
            StudyInstanceUID=UID.format(f"7.{ord(name)}"),
        )
        for name, text in forms.items()
    }
    found = patients(reader, cases, scans)
    assert found["a"] == found["b"] != found["c"]
    assert (found["d"], found["e"]) == ("d", "e")


def test_a_patient_cannot_be_guessed_without_the_key_beside_the_results(reader: Reader) -> None:
    scan = study(reader.root / "scans" / "a", DARK)
    found = patients(reader, {"a": scan}, scan)
    key = reader.out / ".rma-mamba" / "patients.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert not list((reader.root / "dataset").rglob("*.key"))
    key.unlink()
    assert patients(reader, {}, scan, "again") != found


def test_results_that_cannot_be_written_have_the_key_of_the_user(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMA_MAMBA_HOME", str(reader.root / "home"))
    scan = study(reader.root / "scans" / "a", DARK)
    reader.out.mkdir()
    (reader.out / ".rma-mamba").write_bytes(b"")  # in place of a medium that is read-only
    assert patients(reader, {"a": scan}, scan)["a"].startswith("p")
    assert (reader.root / "home" / "patients.key").is_file()


def test_results_that_were_copied_keep_their_patients(reader: Reader) -> None:
    scan = study(reader.root / "scans" / "a", DARK)
    found = patients(reader, {"a": scan}, scan)
    copytree(reader.out, reader.root / "copy")
    reader.out = reader.root / "copy"
    assert patients(reader, {}, scan, "again") == found
