"""DICOM objects state how the mask was made, and the same mask has the same UIDs whenever it is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from clinical_series import clinical_series, enhanced_mask, series_mask
from dicom_series import save
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.mask_provenance import MaskKind, MaskProvenance
from rma_mamba.scans import read_scan, write_mask, write_structured_report
from rma_mamba.volume import ClassMap, Mask
from seg_readers import assert_valid, needs_validator

WEIGHTS = "0123456789abcdef" * 4
MADE = MaskProvenance(weights_sha256=WEIGHTS, settings={"size": 256, "scales": [1.0, 1.25]})


def objects(mask: Mask, folder: Path) -> dict[str, pydicom.Dataset]:
    """A SEG, an RTSTRUCT and an SR of the mask, as read back."""
    folder.mkdir(exist_ok=True)
    write_mask(mask, folder / "SEG.dcm")
    write_mask(mask, folder / "RTSTRUCT.dcm", "dicom_rtstruct")
    write_structured_report(
        mask, {"volume_ml": 3.0}, folder / "SR.dcm", segmentation=folder / "SEG.dcm"
    )
    return {name: pydicom.dcmread(folder / f"{name}.dcm") for name in ("SEG", "RTSTRUCT", "SR")}


def uids(mask: Mask, folder: Path) -> dict[str, tuple[str, str]]:
    found = objects(mask, folder).items()
    return {name: (str(each.SeriesInstanceUID), str(each.SOPInstanceUID)) for name, each in found}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Mask:
    return replace(series_mask(tmp_path_factory.mktemp("scan") / "in"), provenance=MADE)


def distinct(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether no UID of the first objects is one of the second."""
    one, other = ({uid for pair in each.values() for uid in pair} for each in (first, second))
    return not one & other


def test_a_second_run_gives_the_same_uids(made: Mask, tmp_path: Path) -> None:
    first = uids(made, tmp_path / "1")
    assert len({uid for pair in first.values() for uid in pair}) == 6
    assert all(len(uid) <= 64 for pair in first.values() for uid in pair)
    again = series_mask(tmp_path / "copied elsewhere")
    # another computer may round differently: the voxels of a reproducible mask do not count
    labels = again.labels.copy()
    labels[5, 5, 5] ^= 1
    assert uids(replace(again, labels=labels, provenance=MADE), tmp_path / "2") == first
    segment = pydicom.dcmread(tmp_path / "1" / "SEG.dcm").SegmentSequence[0]
    assert (
        segment.TrackingUID
        == pydicom.dcmread(tmp_path / "2" / "SEG.dcm").SegmentSequence[0].TrackingUID
    )


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {**MADE.settings, "size": 128}},
        {"weights_sha256": "f" * 64},
        {"version": "99"},
        {"kind": "semiautomatic"},
        {"kind": "semiautomatic", "creator": "Jane Roe"},
    ],
    ids=["settings", "weights", "version", "kind", "creator"],
)
def test_another_provenance_gives_other_uids(
    made: Mask, tmp_path: Path, change: dict[str, Any]
) -> None:
    other = replace(made, provenance=replace(MADE, **change))
    assert distinct(uids(made, tmp_path / "1"), uids(other, tmp_path / "2"))


def test_another_scan_gives_other_uids(made: Mask, tmp_path: Path) -> None:
    slices = clinical_series()
    for number, data in enumerate(slices):
        data.SOPInstanceUID = f"1.2.3.{number + 1}"
    volume = read_scan(save(tmp_path / "in", slices))
    other = replace(made, geometry=volume.geometry, source_images=volume.source_images)
    assert distinct(uids(made, tmp_path / "1"), uids(other, tmp_path / "2"))


@pytest.mark.parametrize("unknown", [MADE.corrected("A"), MaskProvenance()], ids=["edited", "none"])
def test_each_correction_has_its_own_uids(made: Mask, tmp_path: Path, unknown: Any) -> None:
    mask = replace(made, provenance=unknown)
    labels = mask.labels.copy()
    labels[5, 5, 5] ^= 1
    first = uids(mask, tmp_path / "1")
    assert first == uids(replace(mask, labels=np.asfortranarray(mask.labels)), tmp_path / "2")
    assert distinct(first, uids(replace(mask, labels=labels), tmp_path / "3"))
    scheme = LabelScheme(names=("liver", "tumour"), inside={"tumour": "liver"})
    classes = [ClassMap(values, scheme) for values in (mask.labels, mask.labels * 2)]
    one, two = (uids(replace(mask, classes=each), tmp_path / "4") for each in classes)
    assert distinct(one, two)
    assert distinct(one, first)


@needs_validator
@pytest.mark.parametrize(
    ("kind", "creator"),
    [
        ("automatic", None),
        ("semiautomatic", "Roe^Jane"),
        ("semiautomatic", None),
        ("manual", "Мария"),
    ],
)
def test_every_object_states_kind_and_creator_and_is_valid(
    made: Mask, tmp_path: Path, kind: MaskKind, creator: str | None
) -> None:
    mask = replace(made, provenance=replace(MADE, kind=kind, creator=creator))
    seg, rt, sr = objects(mask, tmp_path / "out").values()
    (segment,), (roi,) = seg.SegmentSequence, rt.StructureSetROISequence
    assert segment.SegmentAlgorithmType == roi.ROIGenerationAlgorithm == kind.upper()
    assert str(seg.ContentCreatorName or "") == str(rt.OperatorsName or "") == (creator or "")
    assert str(rt.RTROIObservationsSequence[0].ROIInterpreter or "") == (creator or "")
    assert str(seg.PatientName) == str(sr.PatientName) == "Doe^John"
    named = [str(each.value) for each in sr.iterall() if each.keyword == "PersonName"]
    assert named == ([creator] if creator else [])
    if kind == "manual":
        assert "SegmentAlgorithmName" not in segment
        assert "SegmentationAlgorithmIdentificationSequence" not in segment
    else:
        assert segment.SegmentAlgorithmName == "rma-mamba"
    for name in ("SEG", "RTSTRUCT", "SR"):
        assert_valid(tmp_path / "out" / f"{name}.dcm")


@pytest.mark.parametrize("make", [series_mask, enhanced_mask])
def test_seg_and_sr_carry_the_hash_of_the_weights(tmp_path: Path, make: Any) -> None:
    mask = replace(make(tmp_path / "in"), provenance=MADE)
    seg, _, sr = objects(mask, tmp_path / "out").values()
    (algorithm,) = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence
    assert algorithm.AlgorithmParameters == f"weights_sha256={WEIGHTS}"
    texts = [each.value for each in sr.iterall() if each.keyword == "TextValue"]
    assert f"weights_sha256={WEIGHTS}" in texts


def test_a_program_that_is_not_known_is_not_stated(made: Mask, tmp_path: Path) -> None:
    other = replace(made, provenance=MaskProvenance(algorithm="Another program" * 4))
    assert objects(other, tmp_path / "other")["SEG"].SeriesDescription.startswith(
        "Liver segmentation (Another program"
    )
    mask = replace(made, provenance=MaskProvenance(algorithm=None))
    seg, _, sr = objects(mask, tmp_path / "out").values()
    segment = seg.SegmentSequence[0]
    assert (segment.SegmentAlgorithmType, segment.SegmentAlgorithmName) == (
        "AUTOMATIC",
        "not stated",
    )
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmVersion, "AlgorithmParameters" in algorithm) == ("not stated", False)
    texts = [each.value for each in sr.iterall() if each.keyword == "TextValue"]
    assert "Mask: segmented automatically" in texts
