"""A folder of one DICOM series is read as one volume in HU, or refused with one clear line."""

from __future__ import annotations

import contextlib
import logging
import shutil
import warnings
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openjpeg.utils import encode_array
from pydicom import Dataset, FileMetaDataset, uid
from pydicom.encaps import encapsulate

from dicom_series import (
    AXIAL,
    COLUMNS,
    CORONAL,
    ROWS,
    SAGITTAL,
    SERIES,
    SLICES,
    Edit,
    assert_every_voxel_at_its_position,
    assign,
    beside,
    compress_unknown,
    ct_slice,
    double,
    drop,
    edited,
    encode_as,
    remove,
    resize,
    save,
    series,
    shift,
    stored,
    tilt,
)
from rma_mamba.errors import GridError, RmaMambaError, ScanError
from rma_mamba.scans import dicom_parsing, read_scan, write_mask
from rma_mamba.volume import Mask

# --- geometry and values -------------------------------------------------------------------------


def test_an_axial_series_has_its_columns_rows_and_slices_along_i_j_k(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path, series()))
    expected = np.diag([-0.75, -1.5, 2.5, 1])
    expected[:3, 3] = [120, 80, 40]
    assert np.array_equal(volume.geometry.affine, expected)
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)
    assert volume.values.dtype == np.int16
    assert (volume.modality, volume.warnings, volume.header) == ("CT", (), None)


@pytest.mark.parametrize(
    ("directions", "letters"),
    [(AXIAL, "LPS"), (CORONAL, "LIP"), (SAGITTAL, "PIR"), ((-1, 0, 0, 0, 1, 0), "RPI")],
)
def test_axial_coronal_and_sagittal_series_keep_every_voxel(
    tmp_path: Path, directions: Any, letters: str
) -> None:
    slices = series(directions=directions)
    volume = read_scan(save(tmp_path, slices))
    assert_every_voxel_at_its_position(volume, slices)
    # R, L and so on, by the right-hand rule: the third axis is the cross product of the others
    third = np.cross(directions[:3], directions[3:]) * [-1, -1, 1]
    assert volume.geometry.orientation[:2] == letters[:2]
    assert volume.geometry.affine[:3, 2] @ third > 0


@settings(max_examples=20, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3, 3)] * 3),
    spacing=st.tuples(*[st.sampled_from([0.5, 0.9765625, 1.7])] * 2),
    step_mm=st.floats(0.6, 8),
)
def test_oblique_series_keep_every_voxel(
    tmp_path_factory: pytest.TempPathFactory, angles: Any, spacing: Any, step_mm: float
) -> None:
    turn = nib.eulerangles.euler2mat(*angles)
    slices = series(directions=(*turn[:, 0], *turn[:, 1]), spacing=spacing, step_mm=step_mm)
    volume = read_scan(save(tmp_path_factory.mktemp("oblique"), slices))
    assert_every_voxel_at_its_position(volume, slices)


def test_the_position_check_can_fail(tmp_path: Path) -> None:
    slices = series()
    volume = read_scan(save(tmp_path, slices))
    slices[2].ImagePositionPatient[1] += 0.01
    with pytest.raises(AssertionError):
        assert_every_voxel_at_its_position(volume, slices)


def test_the_mask_of_a_series_is_on_its_grid(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path / "series", series(directions=CORONAL)))
    labels = (volume.values > -1000).astype(np.uint8)
    write_mask(Mask(labels, volume.geometry, volume.header), tmp_path / "mask.nii.gz")
    mask = nib.load(tmp_path / "mask.nii.gz")
    assert (int(mask.header["sform_code"]), int(mask.header["qform_code"])) == (1, 1)
    assert np.array_equal(mask.affine, volume.geometry.affine)
    assert np.array_equal(np.asarray(mask.dataobj), labels)


def test_each_slice_is_rescaled_with_its_own_slope_and_intercept(tmp_path: Path) -> None:
    slices = series()
    for k, data in enumerate(slices):
        data.RescaleSlope, data.RescaleIntercept = k + 1, -10 * k
    volume = read_scan(save(tmp_path, slices))
    expected = stored() * np.arange(1, 7)[:, None, None] - 10 * np.arange(6)[:, None, None]
    assert np.array_equal(volume.values, expected.transpose(2, 1, 0))
    slices[3].RescaleSlope = 0.5
    volume = read_scan(save(tmp_path, slices))
    assert volume.values.dtype == np.float32
    assert np.array_equal(volume.values[:, :, 3], stored()[3].T * 0.5 - 30)


def test_values_that_need_more_than_16_bits_are_kept(tmp_path: Path) -> None:
    slices = series()
    for data in slices:
        data.BitsStored, data.HighBit, data.RescaleIntercept = 16, 15, 0
        data.PixelData = np.full((ROWS, COLUMNS), 65535, "<u2").tobytes()
    volume = read_scan(save(tmp_path, slices))
    assert (volume.values == 65535).all()


def test_monochrome1_ct_is_in_hu_regardless(tmp_path: Path) -> None:
    slices = series()
    for data in slices:
        data.PhotometricInterpretation = "MONOCHROME1"
    volume = read_scan(save(tmp_path, slices))
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)
    assert volume.warnings == ()


@pytest.mark.parametrize("signed", [False, True])
def test_monochrome1_mr_is_inverted_with_a_warning(tmp_path: Path, signed: bool) -> None:
    slices = series()
    top = -1 if signed else 4095
    for data, pixels in zip(slices, stored(), strict=True):
        data.Modality, data.SOPClassUID = "MR", uid.MRImageStorage
        data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME1", int(signed)
        data.PixelData = (top - pixels).astype("<i2").tobytes()
    volume = read_scan(save(tmp_path, slices))
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)
    assert any("inverted" in line for line in volume.warnings)


def test_mr_without_rescale_is_read_as_stored(tmp_path: Path) -> None:
    slices = series()
    for data in slices:
        data.Modality, data.SOPClassUID = "MR", uid.MRImageStorage
        del data.RescaleSlope, data.RescaleIntercept
    volume = read_scan(save(tmp_path, slices))
    assert (volume.modality, volume.warnings) == ("MR", ())
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0))


def test_ct_without_rescale_is_read_with_a_warning(tmp_path: Path) -> None:
    volume = read_scan(save(tmp_path, edited(remove("RescaleIntercept"))))
    assert any("may not be HU" in line for line in volume.warnings)


def test_a_missing_modality_is_derived_from_the_sop_class(tmp_path: Path) -> None:
    slices = edited(remove("Modality"))
    assert read_scan(save(tmp_path, slices)).modality == "CT"
    for data in slices:
        del data.SOPClassUID
        data.file_meta.MediaStorageSOPClassUID = uid.CTImageStorage
    folder = tmp_path / "unnamed"
    folder.mkdir()
    for k, data in enumerate(slices):
        data.save_as(folder / f"{k}.dcm", enforce_file_format=False)
    assert read_scan(folder).modality is None


def test_the_spacing_of_a_single_slice_is_its_thickness(tmp_path: Path) -> None:
    assert read_scan(save(tmp_path, series(slices=1))).geometry.spacing_mm == (0.75, 1.5, 3)
    slices = edited(assign("SpacingBetweenSlices", 3.3), slices=1)
    assert read_scan(save(tmp_path, slices)).geometry.spacing_mm == (0.75, 1.5, 3.3)


@pytest.mark.parametrize("jitter_mm", [0.01, 0.04])
def test_small_jitter_of_positions_is_accepted(tmp_path: Path, jitter_mm: float) -> None:
    slices = series()
    slices[2].ImagePositionPatient[2] += jitter_mm
    assert read_scan(save(tmp_path, slices)).geometry.spacing_mm == (0.75, 1.5, 2.5)


# --- files ---------------------------------------------------------------------------------------


def test_other_files_and_folders_are_ignored(tmp_path: Path) -> None:
    folder = save(tmp_path / "series", series())
    (folder / "notes.txt").write_text("10-20 mm\n" * 50)
    (folder / "empty.log").write_bytes(b"")
    (folder / "noise.bin").write_bytes(b"\x08\x00" + bytes(range(256)) * 20)
    (folder / "subfolder").mkdir()
    (folder / "dangling").symlink_to(folder / "nowhere")
    volume = read_scan(folder)
    assert volume.geometry.shape == (COLUMNS, ROWS, SLICES)
    assert volume.warnings == ()


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian])
def test_files_without_preamble_are_read(tmp_path: Path, syntax: Any) -> None:
    tmp_path.joinpath("series").mkdir()
    for k, data in enumerate(series()):
        del data.file_meta
        data.save_as(
            tmp_path / "series" / f"{k}",
            implicit_vr=syntax.is_implicit_VR,
            little_endian=True,
            enforce_file_format=False,
        )
    head = (tmp_path / "series" / "0").read_bytes()[:132]
    assert not head.endswith(b"DICM")
    volume = read_scan(tmp_path / "series")
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)


def test_big_endian_files_are_read(tmp_path: Path) -> None:
    slices = series()
    tmp_path.joinpath("series").mkdir()
    for k, data in enumerate(slices):
        pixels = stored()[k].astype(">u2").tobytes()
        data.PixelData = pixels
        data["PixelData"].VR = "OW"
        data.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
        data.save_as(tmp_path / "series" / f"{k}", enforce_file_format=True)
    volume = read_scan(tmp_path / "series")
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [12, 16])
def test_jpeg_2000_is_read_bit_for_bit(tmp_path: Path, bits: int, signed: bool) -> None:
    low = -(2 ** (bits - 1)) if signed else 0
    values = np.random.default_rng(0).integers(low, low + 2**bits, (3, 64, 48))
    slices = []
    for k, pixels in enumerate(values.astype("<i2" if signed else "<u2")):
        data = ct_slice(pixels, (0, 0, 2.5 * k), AXIAL, (1.0, 1.0), k)
        data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1, int(signed)
        data.RescaleIntercept = 0
        coded = encode_array(pixels, bits_stored=bits, photometric_interpretation=2)
        data.PixelData = encapsulate([coded])
        data["PixelData"].is_undefined_length = True
        data["PixelData"].VR = "OB"
        data.file_meta.TransferSyntaxUID = uid.JPEG2000Lossless
        slices.append(data)
    assert np.array_equal(read_scan(save(tmp_path, slices)).values, values.transpose(2, 1, 0))


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless])
def test_compressed_slices_are_read(tmp_path: Path, syntax: Any) -> None:
    slices = series()
    for data in slices:
        data.compress(syntax, generate_instance_uid=False)
    volume = read_scan(save(tmp_path, slices))
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)


def deflated(folder: Path, slices: list[Dataset]) -> Path:
    folder.mkdir()
    for k, data in enumerate(slices):
        data.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
        data.save_as(folder / f"{k}.dcm", enforce_file_format=True)
    return folder


def test_deflated_files_are_read(tmp_path: Path) -> None:
    volume = read_scan(deflated(tmp_path / "series", series()))
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)


def test_a_deflated_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slices = series(slices=2)
    slices[1].PixelData = bytes(10**6)
    folder = deflated(tmp_path / "series", slices)
    monkeypatch.setattr(dicom_parsing, "_MAX_INFLATED_BYTES", 10**5)
    with pytest.raises(ScanError, match="1 DICOM file is truncated or corrupt"):
        read_scan(folder)


@pytest.mark.parametrize("kind", ["localizer", "screenshot", "segmentation", "report", "dose"])
def test_objects_that_are_not_slices_are_skipped_with_a_warning(tmp_path: Path, kind: str) -> None:
    folder = save(tmp_path, [*series(), beside(kind)])
    volume = read_scan(folder)
    assert volume.geometry.shape == (COLUMNS, ROWS, SLICES)
    assert volume.warnings == (
        "1 DICOM file that is not a slice was skipped (localizers, reports, segmentations).",
    )


def test_a_folder_without_any_slices_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path, [beside("segmentation"), beside("report"), beside("report")])
    with pytest.raises(ScanError, match="3 other DICOM files: 1 SEG, 2 SR"):
        read_scan(folder)


@pytest.mark.parametrize("content", [b"", b"cut", bytes(200)])
def test_a_slice_that_is_no_longer_dicom_gives_a_warning(tmp_path: Path, content: bytes) -> None:
    folder = save(tmp_path, series(), shuffled=False)
    last = sorted(folder.iterdir())[-1]
    last.write_bytes(content)
    (said,) = read_scan(folder).warnings
    assert "1 file without suffix is not DICOM" in said
    last.rename(last.with_suffix(".dcm"))
    with pytest.raises(ScanError, match="1 DICOM file is truncated or corrupt"):
        read_scan(folder, strict=True)
    (said,) = read_scan(folder).warnings
    assert "1 DICOM image is truncated or corrupt" in said


def test_duplicates_are_found_even_if_all_slices_share_one_uid(tmp_path: Path) -> None:
    folder = save(tmp_path, edited(assign("SOPInstanceUID", "1.2.3")))
    shutil.copy(folder / "IM0002", folder / "IM0002 (copy)")
    assert read_scan(folder).geometry.shape == (COLUMNS, ROWS, SLICES)


def test_duplicate_slices_are_skipped_with_a_warning(tmp_path: Path) -> None:
    folder = save(tmp_path, series())
    shutil.copy(folder / "IM0001", folder / "IM0001 (copy)")
    volume = read_scan(folder)
    assert volume.geometry.shape == (COLUMNS, ROWS, SLICES)
    assert volume.warnings == ("1 duplicate slice was skipped.",)


def test_a_dicomdir_is_not_a_slice(tmp_path: Path) -> None:
    directory = Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    directory.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    directory.FileSetID = "DISC"
    directory.DirectoryRecordSequence = []
    directory.save_as(tmp_path / "DICOMDIR", enforce_file_format=True)
    (tmp_path / "IMAGES").mkdir()
    with pytest.raises(ScanError, match="no DICOM images"):
        read_scan(tmp_path)
    assert read_scan(save(tmp_path, series())).warnings == ()


def test_messages_of_pydicom_do_not_reach_the_user(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    slices = series()
    for data in slices:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data.SpecificCharacterSet = "ISO_NONSENSE"
            data.PatientBirthDate = "not a date"
            data.PixelData = data.PixelData + b"\0\0\0\0"
    folder = save(tmp_path, slices)
    (folder / "noise").write_bytes(b"\x08\x00" + bytes(200))
    caplog.clear()
    capfd.readouterr()
    level = logging.getLogger("pydicom").level
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_scan(folder)
    assert (caught, caplog.records, *capfd.readouterr()) == ([], [], "", "")
    assert logging.getLogger("pydicom").level == level


# --- refusals ------------------------------------------------------------------------------------


BAD: dict[str, tuple[Edit, type[RmaMambaError], str]] = {
    "two studies": (assign("StudyInstanceUID", "1.2.3", slice(3)), ScanError, "2 studies"),
    "no series": (
        remove("SeriesInstanceUID", slice(1)),
        ScanError,
        "missing in 1 of 6 slices",
    ),
    "two modalities": (assign("Modality", "PT", slice(1)), ScanError, "1 PT"),
    "PET": (assign("Modality", "PT"), ScanError, "modality of the series is not supported"),
    "enhanced": (assign("NumberOfFrames", 3), ScanError, "multi-frame"),
    "colour": (assign("SamplesPerPixel", 3), ScanError, "colour"),
    "one position missing": (remove("ImagePositionPatient", slice(1)), ScanError, "1 of 6"),
    "position missing": (remove("ImagePositionPatient"), ScanError, "ImagePositionPatient"),
    "orientation missing": (remove("ImageOrientationPatient"), ScanError, "ImageOrientation"),
    "spacing missing": (remove("PixelSpacing"), ScanError, "PixelSpacing"),
    "spacing empty": (assign("PixelSpacing", None), ScanError, "PixelSpacing"),
    "position beyond reason": (
        assign("ImagePositionPatient", [1e300, -1e300, 1e300], slice(1)),
        ScanError,
        "ImagePosition",
    ),
    "position not a number": (
        assign("ImagePositionPatient", [float("nan"), 0.0, 0.0], slice(1)),
        ScanError,
        "ImagePosition",
    ),
    "position short": (assign("ImagePositionPatient", [1.0, 2.0]), ScanError, "ImagePosition"),
    "spacing zero": (assign("PixelSpacing", [0.0, 1.0]), GridError, "PixelSpacing"),
    "spacing negative": (assign("PixelSpacing", [1.0, -1.0]), GridError, "PixelSpacing"),
    "directions not unit": (
        assign("ImageOrientationPatient", [2.0, 0, 0, 0, 1, 0]),
        GridError,
        "perpendicular unit",
    ),
    "directions skewed": (
        assign("ImageOrientationPatient", [1.0, 0, 0, 0.6, 0.8, 0]),
        GridError,
        "perpendicular unit",
    ),
    "orientations": (
        assign("ImageOrientationPatient", list(CORONAL), slice(2)),
        ScanError,
        "2 orientations",
    ),
    "spacings": (assign("PixelSpacing", [1.5, 1.5], slice(2)), ScanError, "2 pixel spacings"),
    "sizes": (resize, ScanError, "4 x 5, 5 x 4"),
    "one slice aside": (shift(2, 0, 5.0), ScanError, "in-plane"),
    "slope zero": (assign("RescaleSlope", 0), ScanError, "RescaleSlope"),
    "slope beyond sense": (assign("RescaleSlope", "1e30", slice(2, 3)), ScanError, "RescaleSlope"),
    "colours of a palette": (
        assign("PhotometricInterpretation", "PALETTE COLOR"),
        ScanError,
        "colour images",
    ),
    "unknown encoding": (compress_unknown, ScanError, "MPEG2"),
    "private encoding": (
        encode_as("1.2.3.4"),
        ScanError,
        "1.2.3.4",
    ),
    "damaged name of an encoding": (
        encode_as("1.2\n.Doe"),
        ScanError,
        "an unknown transfer syntax",
    ),
    "damaged modality": (assign("Modality", "DOE\nJOHN"), ScanError, "6 unknown modality"),
    "localizers only": (
        assign("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        ScanError,
        "no slices of a scan",
    ),
}


UNEVEN: dict[str, tuple[Edit, str]] = {
    "duplicate positions": (double, "6 duplicate slices"),
    "one shared position": (shift(2, 2, -2.5), "1 slice has the same position as another slice"),
    "a gap": (drop(3), "about 1 slice of the series seems to be missing"),
    "a gap of two": (drop(2, 3), "about 2 slices"),
    "two gaps": (drop(1, 4), "about 2 slices"),
    "three left, one missing": (drop(0, 1, 4), "about 1 slice"),
    "uneven by 0.2 mm": (shift(2, 2, 0.2), "unevenly spaced"),
    "tilt": (tilt, "gantry tilt of about 15.0 degrees"),
}


@pytest.mark.parametrize(("edit", "words"), UNEVEN.values(), ids=UNEVEN.keys())
def test_strict_reading_refuses_what_lenient_reading_repairs_with_a_warning(
    tmp_path: Path, edit: Edit, words: str
) -> None:
    folder = save(tmp_path / "series", edited(edit))
    with pytest.raises(ScanError, match=words) as caught:
        read_scan(folder, strict=True)
    assert "expected" in str(caught.value)
    said = " ".join(read_scan(folder).warnings)
    assert words.removeprefix("about ") in said


def test_strict_reading_lists_everything_that_is_wrong(tmp_path: Path) -> None:
    def edit(slices: list[Dataset]) -> None:
        shift(4, 2, 0.3)(slices)
        slices.append(slices[0])
        del slices[1]

    with pytest.raises(
        ScanError, match=r"1 duplicate slice; about 1 slice.*; the slices are uneven"
    ):
        read_scan(save(tmp_path, edited(edit)), strict=True)


@pytest.mark.parametrize(("edit", "kind", "words"), BAD.values(), ids=BAD.keys())
def test_a_bad_series_gets_one_line_that_says_what_to_do(
    tmp_path: Path, edit: Edit, kind: type[RmaMambaError], words: str
) -> None:
    folder = save(tmp_path / "series", edited(edit))
    with pytest.raises(kind) as caught:
        read_scan(folder)
    message = str(caught.value)
    assert words in message
    assert "\n" not in message
    assert "expected" in message
    for secret in (str(tmp_path), "Doe", "4711", SERIES):
        assert secret not in message


def test_a_single_slice_without_thickness_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="single slice without SliceThickness"):
        read_scan(save(tmp_path, edited(remove("SliceThickness"), slices=1)))


def test_an_empty_folder_and_one_without_dicom_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="the folder is empty"):
        read_scan(tmp_path)
    (tmp_path / "notes.txt").write_text("no scan here\n")
    with pytest.raises(ScanError, match="no DICOM images"):
        read_scan(tmp_path)


@pytest.mark.parametrize("keep", [140, 200, 700])
def test_a_truncated_last_slice_is_not_dropped_silently(tmp_path: Path, keep: int) -> None:
    folder = save(tmp_path, series(), shuffled=False)
    last = folder / f"IM{SLICES - 1:04}"
    last.write_bytes(last.read_bytes()[:keep])
    with pytest.raises(ScanError, match="expected"):
        read_scan(folder, strict=True)
    (said,) = read_scan(folder).warnings
    assert "1 DICOM image is truncated or corrupt" in said


def test_a_slice_truncated_anywhere_is_a_typed_error(tmp_path: Path) -> None:
    folder = save(tmp_path, series(slices=2), shuffled=False)
    content = (folder / "IM0001").read_bytes()
    for keep in range(132, len(content), 3):
        (folder / "IM0001").write_bytes(content[:keep])
        with pytest.raises(RmaMambaError):
            read_scan(folder)


@settings(max_examples=60, deadline=None)
@given(position=st.integers(132, 900), byte=st.integers(0, 255))
def test_a_corrupt_byte_never_raises_an_untyped_error(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int
) -> None:
    folder = save(tmp_path_factory.mktemp("damaged"), series(slices=2), shuffled=False)
    content = bytearray((folder / "IM0001").read_bytes())
    content[min(position, len(content) - 1)] = byte
    (folder / "IM0001").write_bytes(content)
    with contextlib.suppress(RmaMambaError):
        read_scan(folder)
