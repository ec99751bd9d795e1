"""A red mask is marked in every DICOM object: in lists of series, in descriptions, and as codes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import highdicom as hd
import pydicom
import pytest

from clinical_series import series_mask
from rma_mamba.mask_provenance import MaskProvenance, MaskRemarks
from rma_mamba.scans import write_mask, write_structured_report
from rma_mamba.scans.dicom_objects import remarks_text
from rma_mamba.volume import Mask
from seg_readers import assert_valid, needs_validator

SENTENCES = ("Quality: red (abrupt_end)", "red: The mask ends abruptly.", "2 slices are missing.")
FLAGS = (("abrupt_end", "red"), ("border_without_edge", "yellow"))
RED = MaskRemarks("red", FLAGS, SENTENCES)


@pytest.fixture(scope="module")
def mask(tmp_path_factory) -> Mask:
    return series_mask(tmp_path_factory.mktemp("scan") / "in")


def marked(mask: Mask, remarks: MaskRemarks | None) -> Mask:
    return replace(mask, provenance=replace(MaskProvenance(), remarks=remarks))


def written(mask: Mask, folder: Path) -> dict[str, pydicom.Dataset]:
    write_mask(mask, folder / "seg.dcm")
    write_mask(mask, folder / "rt.dcm", "dicom_rtstruct")
    write_structured_report(
        mask, {"volume_ml": 3.0}, folder / "sr.dcm", comments=[SENTENCES[0], "Another one."]
    )
    return {name: pydicom.dcmread(folder / f"{name}.dcm") for name in ("seg", "rt", "sr")}


@needs_validator
def test_a_red_mask_is_marked_in_every_object(mask: Mask, tmp_path: Path) -> None:
    objects = written(marked(mask, RED), tmp_path)
    for name, data in objects.items():
        assert data.SeriesDescription.endswith(", quality red"), name
        assert len(data.SeriesDescription) <= 64
        assert_valid(tmp_path / f"{name}.dcm")
    seg, rt, sr = objects.values()
    assert seg.ContentDescription == "Liver, segmented automatically, quality red"
    assert seg.SegmentSequence[0].SegmentDescription == " ".join(SENTENCES)
    assert rt.StructureSetDescription == " ".join(SENTENCES)
    assert rt.StructureSetROISequence[0].ROIDescription == " ".join(SENTENCES)
    texts = [each.value for each in sr.iterall() if each.keyword == "TextValue"]
    assert [each for each in texts if each in (*SENTENCES, "Another one.")] == [
        SENTENCES[0], "Another one.", *SENTENCES[1:]
    ]  # fmt: skip
    (group,) = hd.sr.srread(tmp_path / "sr.dcm").content.get_image_measurement_groups()
    found = [
        (each.name.value, each.value.value, each.value.scheme_designator, each.value.meaning)
        for each in group.get_qualitative_evaluations()
        if each.name.scheme_designator == "DCM" and each.name.value.startswith("11105")
    ]
    assert found == [
        ("111050", "red", "99RMAMAMBA", "Red: do not use the measurements"),
        ("111052", "abrupt_end", "99RMAMAMBA", "abrupt end (red)"),
        ("111052", "border_without_edge", "99RMAMAMBA", "border without edge (yellow)"),
    ]
    assert sr.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99RMAMAMBA"


def test_a_green_mask_states_it_and_an_unknown_quality_is_not_stated(
    mask: Mask, tmp_path: Path
) -> None:
    seg, _, sr = written(marked(mask, MaskRemarks("green")), tmp_path).values()
    assert seg.SeriesDescription == "Liver segmentation (rma-mamba)"
    assert seg.ContentDescription == "Liver, segmented automatically, quality green"
    assert "SegmentDescription" not in seg.SegmentSequence[0]
    assert "111050" in {each.value for each in sr.iterall() if each.keyword == "CodeValue"}
    seg, rt, sr = written(marked(mask, None), tmp_path).values()
    assert "quality" not in seg.ContentDescription
    assert "StructureSetDescription" not in rt
    assert "111050" not in {each.value for each in sr.iterall() if each.keyword == "CodeValue"}


def test_a_correction_drops_what_was_said_of_the_mask_before(mask: Mask, tmp_path: Path) -> None:
    corrected = marked(mask, RED).provenance.corrected()
    seg, rt, _ = written(replace(mask, provenance=corrected), tmp_path).values()
    assert "red" not in seg.SeriesDescription + rt.SeriesDescription
    assert "SegmentDescription" not in seg.SegmentSequence[0]


@needs_validator
def test_long_remarks_in_any_script_fit_into_a_description(mask: Mask, tmp_path: Path) -> None:
    remarks = MaskRemarks("yellow", (), ("Größe 3 mm².\n" * 200,))
    text = remarks_text(MaskProvenance(remarks=remarks))
    assert 1000 < len(text.encode()) <= 1024
    assert text.endswith(" ...")
    seg, rt, _ = written(marked(mask, remarks), tmp_path).values()
    assert seg.SegmentSequence[0].SegmentDescription == text
    assert rt.StructureSetDescription == text
    assert str(seg.PatientName) == "Doe^John"
    assert_valid(tmp_path / "seg.dcm")
