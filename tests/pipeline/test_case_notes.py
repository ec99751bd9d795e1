"""Every remark on a case stands in every output that has text: one list, which no writer can forget."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import Dataset

from clinical_series import blob, clinical_series
from dicom_series import as_series, beside, drop, save, shift, tilt
from rma_mamba.inference import Segmentation
from rma_mamba.pipeline.case_result import CaseResult
from rma_mamba.pipeline.measuring import measure_mask, write_tables
from rma_mamba.pipeline.output_types import OUTPUT_TYPES
from rma_mamba.reporting import Flag, PatientSize, Quality
from rma_mamba.reporting.case_notes import CaseNotes
from rma_mamba.reporting.expected_volume import CAVEAT
from rma_mamba.scans import read_scan, write_mask
from rma_mamba.slicing import calibrated
from rma_mamba.volume import Mask

# Outputs of voxels, surfaces and pictures, and the encapsulated report.pdf; all others must hold every note.
WITHOUT_TEXT = {
    "nifti",
    "stl",
    "obj",
    "preview",
    "probabilities",
    "uncertainty",
    "dicom_sc",
    "dicom_pdf",
}
WITH_TEXT = tuple(name for name in OUTPUT_TYPES if name not in WITHOUT_TEXT)
DICOM_TEXT = ("TextValue", "SegmentDescription", "ROIDescription")
NEW_WARNINGS = ("A warning of tomorrow: 7 < 8.", "Another warning, with a 'quote'.")
NEW_FLAGS = (
    Flag("red_code", "A red flag.", "red"),
    Flag("yellow_code", "A yellow flag.", "yellow"),
)


def text_of(path: Path) -> str:
    """The text of an output, in which a sentence can be searched."""
    if path.suffix == ".dcm":
        data = pydicom.dcmread(path)
        return " ".join(str(each.value) for each in data.iterall() if each.keyword in DICOM_TEXT)
    if path.suffix == ".json":
        return " ".join(strings(json.loads(path.read_text())))
    if path.suffix == ".csv":
        with path.open() as file:
            (row,) = csv.DictReader(file)
        return " ".join(row.values())
    if path.suffix == ".html":
        return html.unescape(
            re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", path.read_text(), flags=re.S)
        )
    if shutil.which("pdftotext") is None:
        return ""
    said = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True)
    return said.stdout


def strings(content: Any) -> list[str]:
    if isinstance(content, dict):
        return [text for value in content.values() for text in strings(value)]
    if isinstance(content, list):
        return [text for value in content for text in strings(value)]
    return [content] if isinstance(content, str) else []


def squeezed(text: str) -> str:
    """Without white space, so that line breaks do not matter."""
    return re.sub(r"\s", "", text)


def assert_states(path: Path, sentences: Iterable[str]) -> None:
    text = squeezed(text_of(path))
    if not text and path.suffix == ".pdf":
        return  # cannot be read here
    if text.endswith("..."):  # a description of 1024 characters
        sentences = [each for each in sentences if squeezed(each) in text] or ["nothing"]
    for sentence in sentences:
        assert squeezed(sentence) in text, (path.name, sentence)


def inverted(slices: list[Dataset]) -> None:
    for data in slices:
        data.PhotometricInterpretation, data.Modality = "MONOCHROME1", "MR"


def without_intercept(slices: list[Dataset]) -> None:
    for data in slices:
        del data.RescaleIntercept


def constant(slices: list[Dataset]) -> None:
    for data in slices:
        data.PixelData = bytes(len(data.PixelData))


def huge(slices: list[Dataset]) -> None:
    for data in slices:
        data.PixelSpacing = [30, 30]


def doubled(slices: list[Dataset]) -> None:
    slices.append(clinical_series()[3])
    slices[-1].SOPInstanceUID += ".1"


def with_others(slices: list[Dataset]) -> None:
    slices.append(beside("localizer"))
    slices += as_series(clinical_series(slices=8), 2)


def uneven(slices: list[Dataset]) -> None:
    shift(5, 2, 0.8)(slices)


def single(slices: list[Dataset]) -> None:
    del slices[1:]


DICOM: dict[str, Callable[[list[Dataset]], Any]] = {
    "missing slices": drop(4, 5),
    "uneven": uneven,
    "tilted": tilt,
    "one slice": single,
    "doubled": doubled,
    "several series": with_others,
    "inverted": inverted,
    "without intercept": without_intercept,
    "constant": constant,
    "implausible voxels": huge,
}


def dicom(folder: Path, edit: Callable[[list[Dataset]], Any]) -> Path:
    slices = clinical_series()
    edit(slices)
    return save(folder / "in", slices)


def corrupt(folder: Path) -> Path:
    found = dicom(folder, lambda _: None)
    first = sorted(found.iterdir())[0]
    first.write_bytes(first.read_bytes()[:-600])
    (found / "IM9999").write_bytes(b"not DICOM")
    return found


def nifti(folder: Path, affine: Any, values: Any = None) -> Path:
    random = np.random.default_rng(0).integers(0, 200, (20, 24, 9)).astype(np.float32)
    image = nib.Nifti1Image(random if values is None else values(random), affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, folder / "in.nii")
    return folder / "in.nii"


def sheared(folder: Path) -> Path:
    affine = np.diag([2.0, 2.0, 5.0, 1.0])
    affine[0, 2] = 1.5
    return nifti(folder, affine)


def not_finite(folder: Path) -> Path:
    def values(random: Any) -> Any:
        random[3, 3, 3] = np.nan
        return random

    return nifti(folder, np.diag([2.0, 2.0, 5.0, 1.0]), values)


def without_orientation(folder: Path) -> Path:
    return nifti(folder, None)


def picture(folder: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 255, (40, 48)).astype(np.uint8)
    Image.fromarray(values).save(folder / "in.png")
    return folder / "in.png"


OTHERS: dict[str, Callable[[Path], Path]] = {
    "corrupt": corrupt,
    "sheared": sheared,
    "not finite": not_finite,
    "without orientation": without_orientation,
    "picture": picture,
}
SCANS = {
    **{name: lambda folder, edit=edit: dicom(folder, edit) for name, edit in DICOM.items()},
    **OTHERS,
}


@pytest.mark.parametrize("name", SCANS)
def test_what_the_console_says_stands_in_every_output(
    tmp_path: Path, command: Any, tiny: Path, name: str
) -> None:
    scan, out = SCANS[name](tmp_path), tmp_path / "out"
    volume = read_scan(scan)
    objects = ",dicom_seg,dicom_rtstruct,dicom_sr" if volume.source_images else ""
    kinds = f"nifti,json,csv{objects}"
    done = command(
        "segment", "-i", scan, "-o", out, "-ot", kinds, "-s", "--report", "--model", tiny
    )
    assert done.code == 0, done.err
    said = re.findall(r"^rma-mamba: warning: (.*)$", done.err, flags=re.M)
    assert volume.warnings
    assert set(volume.warnings) <= set(said)
    (light,) = re.findall(r"^Quality: (\w+)", done.err, flags=re.M)
    (modality,) = re.findall(r"^Liver: .* mL \((\w+)\)$", done.err, flags=re.M)
    names = [
        OUTPUT_TYPES[each].file_name
        for each in WITH_TEXT
        if volume.source_images or not OUTPUT_TYPES[each].dicom
    ]
    for file in ("run.json", *names):
        (path,) = out.rglob(file)
        assert_states(path, (*said, light, modality))


@pytest.mark.parametrize("name", WITH_TEXT)
def test_a_new_warning_or_flag_reaches_every_output_with_text(tmp_path: Path, name: str) -> None:
    volume = calibrated(read_scan(dicom(tmp_path, drop(4))))
    mask = Mask(blob(volume.geometry.shape), volume.geometry, None, volume.source_images)
    result = CaseResult(
        Segmentation(
            mask, volume, (*volume.warnings, *NEW_WARNINGS), quality=Quality(NEW_FLAGS, 0.61)
        ),
        {"model": "default", "rma_mamba": "1"},
        PatientSize(170, 70),
    )
    path = tmp_path / OUTPUT_TYPES[name].file_name
    OUTPUT_TYPES[name].write(result, path)
    messages = [flag.message for flag in NEW_FLAGS]
    assert_states(path, [*volume.warnings, *NEW_WARNINGS, *messages, CAVEAT, "red", "CT"])
    if text_of(path):
        with pytest.raises(AssertionError):  # the search can fail
            assert_states(path, ["A warning that nobody gave."])


def test_a_detected_modality_is_said_to_be_detected(tmp_path: Path, command, tiny: Path) -> None:
    scan = nifti(tmp_path, np.diag([2.0, 2.0, 5.0, 1.0]))
    for option, source in (((), "detected"), (("--modality", "MR"), "requested")):
        arguments = ("-i", scan, "-o", tmp_path / source, "-ot", "nifti,json,csv", "-s", *option)
        assert command("segment", *arguments, "--report", "--model", tiny).code == 0
        for file in ("run.json", "measurements.json", "measurements.csv", "statistics.json"):
            (path,) = (tmp_path / source).rglob(file)
            assert_states(path, ["MR", source])
        (page,) = (tmp_path / source).rglob("report.html")
        assert ("MR (detected)" in page.read_text()) == (source == "detected")


def test_measurements_of_any_mask_repeat_the_warnings_about_its_scan(tmp_path: Path) -> None:
    scan = dicom(tmp_path, drop(4, 5))
    volume = read_scan(scan)
    write_mask(Mask(blob(volume.geometry.shape), volume.geometry), tmp_path / "mask.nii.gz")
    write_tables(
        measure_mask(tmp_path / "mask.nii.gz", scan), tmp_path / "a.json", tmp_path / "a.csv"
    )
    assert any("seem to be missing" in warning for warning in volume.warnings)
    for name in ("a.json", "a.csv"):
        assert_states(tmp_path / name, volume.warnings)


def test_each_sentence_is_noted_once() -> None:
    notes = CaseNotes("MR", "header", Quality(NEW_FLAGS), ("One.", "Two.", "Two."))
    assert notes.warnings == ("One.", "Two.")
    assert notes.urgent == ("One.", "Two.", "A red flag.")
    assert notes.sentences[0] == "Quality: red (red_code, yellow_code)"
    repeated = CaseNotes("MR", "header", Quality(NEW_FLAGS), ("A red flag.", "One."))
    assert [text for text in repeated.sentences if "red flag" in text] == ["red: A red flag."]
    assert repeated.sentences[-1] == "One."
