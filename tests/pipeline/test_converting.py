"""`rma-mamba convert` writes masks of any tool in every format, on the voxels of their scan, with their quality."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from clinical_series import blob, series_mask
from rma_mamba.errors import ConfigError, GridError
from rma_mamba.pipeline.converting import ConvertRequest, convert_mask
from rma_mamba.pipeline.output_types import SELECTABLE
from rma_mamba.scans import read_scan, write_mask
from rma_mamba.scans.mask_reader import read_mask
from rma_mamba.volume import Mask
from seg_readers import (
    assert_valid,
    furthest_mm,
    needs_validator,
    points_by_attributes,
    true_points,
)


@pytest.fixture
def mask(tmp_path: Path) -> Mask:
    """A mask of the series in the folder `in`, which is also `mask.nii` of another tool."""
    made = series_mask(tmp_path / "in")
    nib.save(nib.Nifti1Image(made.labels, made.geometry.affine), tmp_path / "mask.nii")
    return made


def weights_of(data: pydicom.Dataset) -> str:
    (algorithm,) = data.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence
    return str(algorithm.get("AlgorithmParameters", ""))


@needs_validator
def test_a_mask_of_another_tool_becomes_every_output_type(
    command: Any, mask: Mask, tmp_path: Path
) -> None:
    options = ("-ot", ",".join(SELECTABLE), "-s", "-p", "--algorithm", "Other tool")
    done = command(
        "convert",
        tmp_path / "mask.nii",
        "--scan",
        tmp_path / "in",
        "-o",
        f"{tmp_path}/out/",
        *options,
    )
    assert done.code == 0, done.err
    out = tmp_path / "out" / "in"
    names = {path.name for path in out.iterdir()}
    assert {
        "liver.nii.gz",
        "liver.stl",
        "liver.obj",
        "measurements.json",
        "measurements.csv",
    } < names
    assert {"statistics.json", "preview.png", "run.json"} < names
    assert np.array_equal(np.asarray(nib.load(out / "liver.nii.gz").dataobj), mask.labels)
    for name in ("liver_seg.dcm", "liver_rtstruct.dcm", "liver_sr.dcm"):
        assert_valid(out / name)
    assert furthest_mm(points_by_attributes(out / "liver_seg.dcm"), true_points(mask)) < 1e-4
    segment = pydicom.dcmread(out / "liver_seg.dcm").SegmentSequence[0]
    assert (segment.SegmentAlgorithmType, segment.SegmentAlgorithmName) == (
        "AUTOMATIC",
        "Other tool",
    )
    light = json.loads((out / "measurements.json").read_text())["quality"]["light"]
    assert light in segment.SegmentDescription
    assert f"Quality: {light}" in done.err
    contours = read_mask(out / "liver_rtstruct.dcm", read_scan(tmp_path / "in")).mask
    assert np.array_equal(contours.labels, mask.labels)


@pytest.mark.parametrize("source", ["nii", "nrrd", "mha", "seg.dcm", "rt.dcm"])
def test_every_input_becomes_the_same_mask_beside_it(
    mask: Mask, tmp_path: Path, source: str
) -> None:
    path = tmp_path / f"made.{source}"
    kinds: dict[str, Any] = {"seg.dcm": "dicom_seg", "rt.dcm": "dicom_rtstruct"}
    if source in kinds:
        write_mask(mask, path, kinds[source])
    else:
        import SimpleITK

        SimpleITK.WriteImage(SimpleITK.ReadImage(str(tmp_path / "mask.nii")), str(path))
    done = convert_mask(path, tmp_path / "in", None, ConvertRequest(outputs=("obj", "nifti")))
    assert done.files["obj"] == tmp_path / f"{path.stem}.obj"
    written = np.asarray(nib.load(done.files["nifti"]).dataobj)
    assert np.array_equal(written, mask.labels)


def test_all_files_beside_a_mask_are_named_after_it(
    command: Any, mask: Mask, tmp_path: Path
) -> None:
    (tmp_path / "masks").mkdir()
    shutil.copy(tmp_path / "mask.nii", tmp_path / "masks" / "a.b.nii")
    convert = ("convert", tmp_path / "masks" / "a.b.nii", "--scan", tmp_path / "in")
    assert command(*convert, "-ot", "dicom_seg,dicom_sr").code == 0
    assert command(*convert, "--preview").code == 0
    names = {path.name for path in (tmp_path / "masks").iterdir()}
    assert names == {"a.b.nii", "a.b_seg.dcm", "a.b_sr.dcm", "a.b_preview.png"}


def test_several_labels_are_classes_by_name(command: Any, mask: Mask, tmp_path: Path) -> None:
    values = mask.labels.copy()
    values[8:12, 18:22, 4:7] = 2
    nib.save(nib.Nifti1Image(values, mask.geometry.affine), tmp_path / "mask.nii")
    convert = ("convert", tmp_path / "mask.nii", "--scan", tmp_path / "in", "-o")
    classes = ("--class", "liver=1,2", "--class", "tumour=2")
    assert command(*convert, tmp_path / "a.dcm", *classes).code == 0
    segments = pydicom.dcmread(tmp_path / "a.dcm").SegmentSequence
    assert [each.SegmentLabel for each in segments] == ["Liver", "Tumour"]
    assert command(*convert, tmp_path / "b.nii.gz", "--label", "2").code == 0
    assert np.array_equal(np.asarray(nib.load(tmp_path / "b.nii.gz").dataobj), values == 2)
    # and from the DICOM object, without naming anything
    again = ("convert", tmp_path / "a.dcm", "--scan", tmp_path / "in", "-o", tmp_path / "c.nii.gz")
    assert command(*again).code == 0
    assert np.array_equal(np.asarray(nib.load(tmp_path / "c.nii.gz").dataobj), values)


def test_kind_and_creator_are_stated_or_kept(mask: Mask, tmp_path: Path) -> None:
    drawn = ConvertRequest(kind="manual", creator="Roe^Jane")
    convert_mask(tmp_path / "mask.nii", tmp_path / "in", tmp_path / "a.dcm", drawn)
    convert_mask(tmp_path / "a.dcm", tmp_path / "in", tmp_path / "b.dcm")
    for name in ("a.dcm", "b.dcm"):
        data = pydicom.dcmread(tmp_path / name)
        assert data.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"
        assert data.ContentCreatorName == "Roe^Jane"
    uid = pydicom.dcmread(tmp_path / "a.dcm").SOPInstanceUID
    convert_mask(tmp_path / "mask.nii", tmp_path / "in", tmp_path / "c.dcm", drawn)
    assert pydicom.dcmread(tmp_path / "c.dcm").SOPInstanceUID == uid
    convert_mask(tmp_path / "mask.nii", tmp_path / "in", tmp_path / "c.dcm")
    assert pydicom.dcmread(tmp_path / "c.dcm").SOPInstanceUID != uid


def test_a_mask_segmented_here_keeps_its_weights_quality_and_identifiers(
    command: Any, mask: Mask, tiny: Path, tmp_path: Path
) -> None:
    scan, out = tmp_path / "in", tmp_path / "out"
    options = ("-ot", "nifti,dicom_seg", "-m", tiny)
    assert command("segment", "-i", scan, "-o", f"{out}/", *options).code == 0
    direct = pydicom.dcmread(out / "in" / "liver_seg.dcm")
    assert (
        command(
            "convert", out / "in" / "liver.nii.gz", "--scan", scan, "-o", tmp_path / "a.dcm"
        ).code
        == 0
    )
    converted = pydicom.dcmread(tmp_path / "a.dcm")
    assert converted.SOPInstanceUID == direct.SOPInstanceUID
    assert converted.SegmentSequence[0] == direct.SegmentSequence[0]
    assert weights_of(converted).startswith("weights_sha256=")
    # once the file has changed, its run no longer describes it
    (out / "in" / "liver.nii.gz").write_bytes((tmp_path / "mask.nii").read_bytes())
    command("convert", out / "in" / "liver.nii.gz", "--scan", scan, "-o", tmp_path / "b.dcm")
    assert weights_of(pydicom.dcmread(tmp_path / "b.dcm")) == ""


def test_a_red_segmentation_stays_marked(mask: Mask, tmp_path: Path) -> None:
    from rma_mamba.mask_provenance import MaskProvenance, MaskRemarks

    red = replace(mask, provenance=MaskProvenance(remarks=MaskRemarks("red")))
    write_mask(red, tmp_path / "red.dcm")
    done = convert_mask(tmp_path / "red.dcm", tmp_path / "in", tmp_path / "a.dcm")
    assert "The quality of the mask was red when it was written." in done.warnings


def test_the_gate_holds_for_a_converted_mask(command: Any, mask: Mask, tmp_path: Path) -> None:
    options = ("--scan", tmp_path / "in", "-o", tmp_path / "a.dcm", "--fail-on", "yellow")
    done = command("convert", tmp_path / "mask.nii", *options)
    assert (done.code, (tmp_path / "a.dcm").exists()) == (8, True)  # 5 mL are no liver


def test_errors_come_before_any_output(command: Any, mask: Mask, tmp_path: Path) -> None:
    convert = ("convert", tmp_path / "mask.nii", "--scan")
    neither = command(*convert, tmp_path / "in")
    assert (neither.code, "-ot dicom_seg" in neither.err) == (2, True)
    nifti = tmp_path / "scan.nii"
    nib.save(nib.Nifti1Image(mask.labels.astype(np.int16), mask.geometry.affine), nifti)
    dicom = command(*convert, nifti, "-o", tmp_path / "a.dcm")
    assert (dicom.code, "not DICOM" in dicom.err) == (2, True)
    assert command(*convert, tmp_path / "none", "-o", tmp_path / "a.dcm").code == 4
    with pytest.raises(ConfigError, match="one of the input's files"):
        convert_mask(tmp_path / "mask.nii", tmp_path / "in", tmp_path / "mask.nii")
    other = blob((24, 30, 11))
    nib.save(nib.Nifti1Image(other, mask.geometry.affine + 0.3), tmp_path / "other.nii")
    with pytest.raises(GridError):
        convert_mask(tmp_path / "other.nii", tmp_path / "in", tmp_path / "a.dcm")
    assert not (tmp_path / "a.dcm").exists()
