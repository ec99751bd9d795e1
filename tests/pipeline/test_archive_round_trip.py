"""Results are stored in an archive, fetched, and found to be those on disk; a second run replaces them."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
import pytest

from clinical_series import clinical_series
from dicom_series import save
from orthanc import orthanc
from rma_mamba.scans import read_scan
from rma_mamba.scans.mask_reader import read_mask

TYPES = {"SEG": "liver_seg.dcm", "RTSTRUCT": "liver_rtstruct.dcm", "SR": "liver_sr.dcm"}

needs_orthanc = pytest.mark.skipif(
    shutil.which("Orthanc") is None, reason="Orthanc is not installed (Debian's orthanc)"
)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[str]:
    """The address of an Orthanc that replaces instances, with the series in it."""
    save(tmp_path / "in", clinical_series())
    with orthanc(tmp_path / "orthanc", OverwriteInstances=True) as address:
        for path in sorted((tmp_path / "in").iterdir()):
            send(address, path)
        yield address


def send(address: str, path: Path) -> str:
    """Store a file; the status that Orthanc answers."""
    request = urllib.request.Request(f"{address}/instances", path.read_bytes())
    with urllib.request.urlopen(request, timeout=20) as answer:
        return str(json.loads(answer.read())["Status"])


def get(address: str, path: str) -> Any:
    with urllib.request.urlopen(f"{address}/{path}", timeout=20) as answer:
        content = answer.read()
    return json.loads(content) if content[:1] in b"[{" else content


def series_in(address: str) -> dict[str, dict[str, Any]]:
    """The series of the only study, by modality."""
    (study,) = get(address, "studies")
    found = [get(address, f"series/{each}") for each in get(address, f"studies/{study}")["Series"]]
    return {each["MainDicomTags"]["Modality"]: each for each in found}


def fetched(address: str, series: dict[str, Any], path: Path) -> Path:
    (instance,) = series["Instances"]
    path.write_bytes(get(address, f"instances/{instance}/file"))
    return path


@needs_orthanc
def test_results_are_in_the_study_and_come_back_voxel_by_voxel(
    archive: str, command: Any, tiny: Path, tmp_path: Path
) -> None:
    scan, kinds = tmp_path / "in", "nifti,dicom_seg,dicom_rtstruct,dicom_sr"
    for run in ("first", "second"):
        done = command("segment", "-i", scan, "-o", f"{tmp_path / run}/", "-ot", kinds, "-m", tiny)
        assert done.code == 0, done.err
        for name in TYPES.values():
            assert send(archive, tmp_path / run / "in" / name) in ("Success", "AlreadyStored")
    found = series_in(archive)
    assert set(found) == {"CT", *TYPES}  # one series of each, after two runs
    volume = read_scan(scan)
    expected = np.asarray(nib.load(tmp_path / "second" / "in" / "liver.nii.gz").dataobj)
    assert expected.any()
    for modality in ("SEG", "RTSTRUCT"):
        path = fetched(archive, found[modality], tmp_path / f"{modality}.dcm")
        assert np.array_equal(read_mask(path, volume).mask.labels, expected)
    report = fetched(archive, found["SR"], tmp_path / "SR.dcm")
    (group,) = hd.sr.srread(report).content.get_volumetric_roi_measurement_groups()
    seg = pydicom.dcmread(tmp_path / "SEG.dcm")
    assert group.referenced_segment.referenced_sop_instance_uid == seg.SOPInstanceUID
    light = json.loads((tmp_path / "second" / "in" / "run.json").read_text())["quality"]["light"]
    assert f", quality {light}" in found["SEG"]["MainDicomTags"]["SeriesDescription"]
    other = command(
        "segment", "-i", scan, "-o", f"{tmp_path}/fast/", "-ot", kinds, "-m", tiny, "--fast"
    )
    assert other.code == 0
    assert send(archive, tmp_path / "fast" / "in" / "liver_seg.dcm") == "Success"
    (study,) = get(archive, "studies")
    assert len(get(archive, f"studies/{study}")["Series"]) == 5  # other settings: another series
