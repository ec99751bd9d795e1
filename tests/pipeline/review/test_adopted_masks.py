"""Masks of any format become versions with the same voxels; those of another scan are errors in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from clinical_series import series_mask
from dicom_series import SERIES
from rma_mamba.errors import GridError, RmaMambaError, ScanError
from rma_mamba.files import file_sha256
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.pipeline.converting import ConvertRequest, convert_mask
from rma_mamba.pipeline.review.adopted_masks import adopt_result
from rma_mamba.pipeline.review.case_status import case_status, examination
from rma_mamba.pipeline.review.corrected_mask import read_version, scheme_of_case
from rma_mamba.pipeline.review.mask_versions import MASK_FILE, MaskVersions
from rma_mamba.pipeline.review.result_folders import Result, find_results
from rma_mamba.pipeline.review.version_export import export_version
from rma_mamba.scans import read_scan, write_mask
from rma_mamba.volume import ClassMap, Mask, Volume


@dataclass
class Bench:
    """A scan with a mask, and the folder of its case."""

    scan: Volume
    mask: Mask
    case: Path

    def write(self, kind: Any, name: str = "mask.dcm", made: MaskProvenance | None = None) -> Path:
        """The mask in a file of the case."""
        self.case.mkdir(parents=True, exist_ok=True)
        write_mask(replace(self.mask, provenance=made or MaskProvenance()), self.case / name, kind)
        return self.case / name

    def record(self, name: str, **more: Any) -> None:
        """A run record that lists a file."""
        run = {"rma_mamba": "0.1.0", "weights_sha256": "ab" * 32, "settings": {"series": None}}
        run |= {"files": {name: file_sha256(self.case / name)}, **more}
        (self.case / "run.json").write_text(json.dumps(run))

    def result(self) -> Result:
        """What the search finds."""
        (found,) = find_results(self.case.parent).values()
        return found

    def adopt(self) -> Any:
        return adopt_result(self.result(), lambda: self.scan)

    def labels(self) -> np.ndarray[Any, Any]:
        """Voxels of the newest version."""
        newest = MaskVersions(self.case).newest
        assert newest is not None
        image: Any = nib.load(MaskVersions(self.case).path(newest.version) / MASK_FILE)
        assert np.allclose(image.affine, self.scan.geometry.affine, atol=1e-4)
        return np.asarray(image.dataobj)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    mask = series_mask(tmp_path / "scan")
    return Bench(read_scan(tmp_path / "scan"), mask, tmp_path / "results" / "case")


@pytest.mark.parametrize(
    ("kind", "name"), [("dicom_seg", "liver_seg.dcm"), ("dicom_rtstruct", "liver_rtstruct.dcm")]
)
@pytest.mark.parametrize("is_own", [True, False])
def test_a_dicom_object_alone_is_a_version_with_the_same_voxels(
    bench: Bench, kind: str, name: str, is_own: bool
) -> None:
    bench.write(kind, name)
    if is_own:
        bench.record(name, quality={"light": "yellow", "flags": [], "estimated_dice": 0.9})
    version = bench.adopt()
    assert np.array_equal(bench.labels(), bench.mask.labels)
    assert 0 < bench.mask.labels.sum() < bench.mask.labels.size
    assert (version.kind, version.parent) == ("automatic", None)
    assert bench.adopt() == version
    assert len(MaskVersions(bench.case).all()) == 1
    assert case_status(bench.case).estimated_dice == (0.9 if is_own else None)


def test_a_result_without_its_scan_has_the_light_and_the_volume_of_its_run(bench: Bench) -> None:
    bench.write("dicom_seg", "liver_seg.dcm")
    bench.record("liver_seg.dcm", quality={"light": "red", "flags": [], "estimated_dice": 0.4})
    (bench.case / "measurements.json").write_text('{"volume_ml": 12.5}')
    status = case_status(bench.case)
    assert (status.versions, status.light, status.volume_ml) == ((), "red", 12.5)


def test_another_file_under_the_same_name_is_another_version(bench: Bench) -> None:
    bench.write("dicom_seg")
    bench.adopt()
    bench.mask = replace(bench.mask, labels=np.roll(bench.mask.labels, 1, axis=0))
    bench.write("dicom_seg")
    assert bench.adopt().version == 2
    assert np.array_equal(bench.labels(), bench.mask.labels)


def test_a_label_map_of_another_tool_is_brought_onto_the_voxels_of_the_scan(bench: Bench) -> None:
    bench.case.mkdir(parents=True)
    image = nib.Nifti1Image(bench.mask.labels, bench.scan.geometry.affine)
    nib.save(nib.as_closest_canonical(image), bench.case / MASK_FILE)
    before: Any = nib.load(bench.case / MASK_FILE)
    assert not np.allclose(before.affine, bench.scan.geometry.affine)
    assert bench.adopt().tool == "not stated"
    assert np.array_equal(bench.labels(), bench.mask.labels)


def test_the_version_states_who_made_the_mask(bench: Bench, tmp_path: Path) -> None:
    made = MaskProvenance("semiautomatic", "Roe^Jane", "Other tool", "7")
    bench.write("dicom_seg", made=made)
    version = bench.adopt()
    assert (version.kind, version.author, version.tool) == (
        "semiautomatic",
        "Roe^Jane",
        "Other tool 7",
    )
    corrected = MaskVersions(bench.case).add(
        read_version(bench.case, MaskVersions(bench.case).mask_file(1)), parent=1, kind="manual"
    )
    corrected = replace(corrected, kind="semiautomatic", author="Poe^Ann")
    export_version(bench.case, corrected, bench.scan, "dicom-seg", tmp_path / "out.dcm")
    segment = pydicom.dcmread(tmp_path / "out.dcm").SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert segment.SegmentAlgorithmName == "Other tool"


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("other_run", [False, True], ids=["alone", "with another run"])
def test_a_segmentation_by_an_earlier_release_keeps_its_weights_and_version(
    bench: Bench, tmp_path: Path, corrected: bool, other_run: bool
) -> None:
    made = MaskProvenance(version="0.0.9", weights_sha256="cd" * 32)
    bench.write("dicom_seg", "segmentation.dcm", made=made)
    version = bench.adopt()
    assert (version.tool, version.made) == (
        "rma-mamba 0.0.9",
        {"algorithm": "rma-mamba", "version": "0.0.9", "weights_sha256": "cd" * 32},
    )
    if corrected:
        file = MaskVersions(bench.case).mask_file(1)
        mask = read_version(bench.case, file, version)
        version = MaskVersions(bench.case).add(mask, parent=1, kind="semiautomatic")
    if other_run:
        bench.write("nifti", MASK_FILE)
        bench.record(MASK_FILE)
    export_version(bench.case, version, bench.scan, "dicom-seg", tmp_path / "out.dcm")
    segment = pydicom.dcmread(tmp_path / "out.dcm").SegmentSequence[0]
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert algorithm.AlgorithmVersion == "0.0.9"
    assert "cd" * 32 in str(algorithm.AlgorithmParameters)
    export_version(bench.case, version, bench.scan, "report-html", tmp_path / "out.html")
    assert "ab" * 32 not in (tmp_path / "out.html").read_text()


def test_each_version_states_the_weights_of_its_own_run(bench: Bench, tmp_path: Path) -> None:
    for weights, shift in (("ab", 0), ("ef", 1)):
        bench.mask = replace(bench.mask, labels=np.roll(bench.mask.labels, shift, axis=0))
        bench.write("nifti", MASK_FILE)
        bench.record(MASK_FILE, weights_sha256=weights * 32)
        bench.adopt()
    for version, weights in zip(MaskVersions(bench.case).all(), ("ab", "ef"), strict=True):
        export_version(bench.case, version, bench.scan, "dicom-seg", tmp_path / "out.dcm")
        segment = pydicom.dcmread(tmp_path / "out.dcm").SegmentSequence[0]
        (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
        assert weights * 32 in str(algorithm.AlgorithmParameters)


def test_a_mask_that_was_edited_beside_its_run_record_is_not_by_that_run(bench: Bench) -> None:
    bench.write("nifti", MASK_FILE)
    bench.record(MASK_FILE)
    assert bench.adopt().tool == "rma-mamba 0.1.0"
    bench.mask = replace(bench.mask, labels=np.roll(bench.mask.labels, 1, axis=0))
    bench.write("nifti", MASK_FILE)
    edited = bench.adopt()
    assert (edited.version, edited.tool) == (2, "not stated")
    assert edited.made is not None
    assert edited.made["weights_sha256"] is None


def test_a_mask_that_was_converted_is_what_its_record_states(bench: Bench) -> None:
    bench.write("nifti", MASK_FILE)
    bench.record(MASK_FILE, made={"kind": "manual", "algorithm": None, "version": None})
    version = bench.adopt()
    assert (version.kind, version.tool) == ("manual", "by hand")


def test_classes_of_the_network_come_back_from_a_segmentation(bench: Bench) -> None:
    scheme = LabelScheme(names=("spleen", "liver", "tumour"), inside={"tumour": "liver"})
    values = bench.mask.labels * 2
    values[8:12, 18:22, 4:7] = 3
    values[:2, :2, :2] = 1
    classes = ClassMap(values, scheme)
    bench.mask = replace(bench.mask, classes=classes, labels=scheme.liver_in(values))
    bench.write("dicom_seg", "liver_seg.dcm")
    recipe = {"labels": scheme.model_dump(mode="json")}
    bench.record("liver_seg.dcm", settings={"recipe": recipe})
    bench.adopt()
    assert np.array_equal(bench.labels(), values)


@pytest.mark.parametrize("kind", ["nifti", "dicom_seg"])
def test_classes_of_a_converted_mask_are_those_of_its_record(bench: Bench, kind: str) -> None:
    values = bench.mask.labels.copy()
    values[8:12, 18:22, 4:7] = 2
    bench.case.parent.mkdir(parents=True)
    nib.save(
        nib.Nifti1Image(values, bench.scan.geometry.affine), bench.case.parent.parent / "m.nii"
    )
    request = ConvertRequest(outputs=(kind,), classes={"liver": (1, 2), "tumour": (2,)})
    scan = bench.case.parent.parent / "scan"
    convert_mask(bench.case.parent.parent / "m.nii", scan, f"{bench.case.parent}/", request)
    bench.case = bench.case.parent / "scan"
    bench.adopt()
    assert scheme_of_case(bench.case).names == ("liver", "tumour")
    assert np.array_equal(bench.labels(), values)


def two_segments(data: pydicom.Dataset, *, liver: bool) -> None:
    other = pydicom.Dataset()
    other.update(data.SegmentSequence[0])
    other.SegmentNumber, other.SegmentLabel = 2, "Spleen"
    kind = pydicom.Dataset()
    kind.CodeValue, kind.CodingSchemeDesignator, kind.CodeMeaning = "78961009", "SCT", "Spleen"
    other.SegmentedPropertyTypeCodeSequence = [kind]
    data.SegmentSequence.append(other)
    if not liver:
        data.SegmentSequence[0].SegmentLabel = "Thing"
        data.SegmentSequence[0].SegmentedPropertyTypeCodeSequence = [kind]


def test_the_liver_of_several_structures_is_taken_and_the_others_are_named(bench: Bench) -> None:
    path = bench.write("dicom_seg")
    data = pydicom.dcmread(path)
    two_segments(data, liver=True)
    data.save_as(path)
    version = bench.adopt()
    assert version.note.endswith("1 other structure of the mask file is not shown.")
    assert examination(bench.case, version)["warnings"] == [version.note]
    assert np.array_equal(bench.labels(), bench.mask.labels)


@pytest.mark.parametrize(
    ("edit", "message", "kind"),
    [
        (lambda data: setattr(data, "FrameOfReferenceUID", "1.2.3"), "another frame", GridError),
        (
            lambda data: setattr(
                data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0],
                "PixelSpacing",
                [2, 2],
            ),
            "expected the same grid|outside the scan",
            GridError,
        ),
        (lambda data: two_segments(data, liver=False), "2 structures .numbers 1, 2.", ScanError),
        (lambda data: data.__delitem__("PixelData"), "cannot be read", ScanError),
    ],
    ids=["frame of reference", "other size", "two structures", "no pixels"],
)
def test_a_segmentation_that_does_not_fit_is_an_error_in_one_line(
    bench: Bench, edit: Callable[[pydicom.Dataset], None], message: str, kind: type[RmaMambaError]
) -> None:
    path = bench.write("dicom_seg")
    data = pydicom.dcmread(path)
    edit(data)
    data.save_as(path)
    with pytest.raises(kind, match=message) as error:
        bench.adopt()
    assert "\n" not in str(error.value)
    assert MaskVersions(bench.case).all() == []


def test_a_folder_with_two_masks_is_an_error(bench: Bench) -> None:
    bench.write("dicom_seg", "one.dcm")
    bench.write("dicom_rtstruct", "two.dcm")
    assert bench.result().mask == bench.case
    with pytest.raises(ScanError, match="2 DICOM segmentations or structure sets"):
        bench.adopt()


def test_the_series_of_a_segmentation_is_known(bench: Bench) -> None:
    from rma_mamba.scans.dicom_mask_objects import referenced_series

    for kind in ("dicom_seg", "dicom_rtstruct"):
        assert referenced_series(bench.write(kind)) == SERIES
    (bench.case / "other").write_bytes(b"no DICOM")
    assert referenced_series(bench.case / "other") is None
