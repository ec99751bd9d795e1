"""One case through the functions that a server or a notebook calls."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.inference import Segmenter
from rma_mamba.pipeline import Case, ReadOptions, SegmentRequest, segment_case
from rma_mamba.scans import write_scan

BOX_ML = 8 * 5 * 4 * 20 / 1000


def test_a_path_and_a_case_are_written_to_different_folders(
    segmenter, scan: Path, tmp_path: Path
) -> None:
    by_path = segment_case(scan, tmp_path / "out")
    by_case = segment_case(Case(scan, "a/b"), tmp_path / "out")
    assert by_path.files["nifti"] == tmp_path / "out" / "case_7" / "liver.nii.gz"
    assert by_case.files["nifti"] == tmp_path / "out" / "a" / "b" / "liver.nii.gz"
    assert by_path.volume_ml == by_case.volume_ml == pytest.approx(BOX_ML)
    assert by_path.lines == (f"Liver: {BOX_ML:.0f} mL (MR)", "Quality: green (no problems found)")


def test_a_network_in_memory_is_used_instead_of_loading_one(segmenter, scan, tmp_path) -> None:
    loaded = segmenter.load("mine")
    segmenter.loaded = None
    segment_case(scan, tmp_path / "a.nii.gz", segmenter=loaded)
    assert segmenter.loaded is None


def test_progress_is_reported(segmenter, scan, tmp_path) -> None:
    steps: list[tuple[int, int]] = []
    segment_case(scan, tmp_path / "a.nii", progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 2), (2, 2)]


def test_a_complete_case_is_skipped_on_resume(segmenter, scan, tmp_path) -> None:
    request = SegmentRequest(resume=True)
    assert not segment_case(scan, tmp_path / "out", request).skipped
    again = segment_case(scan, tmp_path / "out", request)
    assert again.skipped
    assert again.lines == ("skipped: already complete",)
    assert again.files["nifti"].exists()


def test_an_invalid_scan_or_output_is_found_before_the_network_is_loaded(
    segmenter, scan, tmp_path
) -> None:
    with pytest.raises(ScanError):
        segment_case(tmp_path / "missing.nii.gz", tmp_path / "a.nii")
    with pytest.raises(ConfigError, match="is not DICOM"):
        segment_case(scan, tmp_path / "out", SegmentRequest(outputs=("dicom_sr",)))
    assert segmenter.loaded is None


def test_red_flags_and_caveats_are_reported_once_as_warnings(segmenter, scan, tmp_path) -> None:
    segmenter.warnings = ("One thing.", "One thing.")
    assert segment_case(scan, tmp_path / "a.nii").warnings == ("One thing.",)


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A CT in HU, and the same one as stored: 1024 higher, unsigned, without an intercept."""
    folder = tmp_path_factory.mktemp("ct")
    volume = make_phantom(0, contrast="ct", shape=(96, 96, 20), spacing_mm=(3.8, 3.8, 11.0)).volume
    hu = np.clip(volume.values, -1024, 3000).astype(np.int16)
    write_scan(replace(volume, values=hu), folder / "hu.nii.gz")
    stored = (hu.astype(np.int32) + 1024).astype(np.uint16)
    nib.save(nib.Nifti1Image(stored, volume.geometry.affine), folder / "stored.nii.gz")
    return {"hu": folder / "hu.nii.gz", "stored": folder / "stored.nii.gz"}


def test_a_ct_without_rescale_intercept_gives_the_outputs_of_the_same_ct_in_hu(
    ct: dict[str, Path], tiny: Path, tmp_path: Path
) -> None:
    network = Segmenter.load(tiny, device="cpu")
    request = SegmentRequest(outputs=("nifti", "preview", "statistics"))
    found = {
        name: segment_case(path, tmp_path / name / "a.nii.gz", request, segmenter=network)
        for name, path in ct.items()
    }
    assert found["hu"].modality == found["stored"].modality == "CT"
    assert any("1024" in warning for warning in found["stored"].warnings)
    previews = {name: case.files["preview"].read_bytes() for name, case in found.items()}
    assert previews["hu"] == previews["stored"]
    hu, stored = (
        json.loads(case.files["statistics"].read_text())["intensity_mean_hu"]
        for case in found.values()
    )
    assert hu == stored
    # shown to be able to fail: as MR, which has no HU, the preview has another window
    as_mr = SegmentRequest(reading=ReadOptions(modality="MR"), outputs=("nifti", "preview"))
    other = segment_case(ct["stored"], tmp_path / "mr" / "a.nii.gz", as_mr, segmenter=network)
    assert other.files["preview"].read_bytes() != previews["stored"]
