"""JPEG Lossless, the usual compression in a PACS, is decoded exactly; corrupt streams are errors."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread, uid
from pydicom.encaps import encapsulate

from clinical_series import PATIENT
from dicom_series import enhanced, save, series, stored
from jpeg_lossless import compressed, encoded
from orthanc import orthanc, transcoded
from rma_mamba.errors import ScanError
from rma_mamba.scans import read_scan
from rma_mamba.scans.jpeg_lossless import check

ROWS, COLUMNS = 14, 11
SYNTAXES = {1: uid.JPEGLosslessSV1, 4: uid.JPEGLossless}

# allocated and stored bits, sign, and precision of the stream
FORMATS: dict[str, tuple[int, int, int, int]] = {
    "12 bits": (16, 12, 0, 12),
    "12 bits, signed": (16, 12, 1, 12),
    "12 bits, signed, in streams of 16": (16, 12, 1, 16),
    "12 bits in streams of 16": (16, 12, 0, 16),
    "16 bits": (16, 16, 0, 16),
    "16 bits, signed": (16, 16, 1, 16),
    "13 bits, signed": (16, 13, 1, 13),
    "8 bits": (8, 8, 0, 8),
}


def slices_of(values: Any, allocated: int, bits: int, signed: int) -> list[Dataset]:
    """A series whose slices hold values [slice, row, column]."""
    slices = series(slices=len(values))
    for data, image in zip(slices, values, strict=True):
        data.Rows, data.Columns = image.shape
        data.BitsAllocated, data.BitsStored, data.HighBit = allocated, bits, bits - 1
        data.PixelRepresentation = signed
        data.RescaleIntercept = 0
        kind = f"<{'i' if signed else 'u'}{allocated // 8}"
        data.PixelData = image.astype(kind).tobytes()
    return slices


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("name", FORMATS)
def test_every_predictor_is_decoded_without_loss(tmp_path: Path, name: str, predictor: int) -> None:
    allocated, bits, signed, precision = FORMATS[name]
    low = -(2 ** (bits - 1)) if signed else 0
    values = np.random.default_rng(0).integers(low, low + 2**bits, (3, ROWS, COLUMNS))
    values[:, 0, :2] = low, low + 2**bits - 1
    slices = slices_of(values, allocated, bits, signed)
    for data in slices:
        compressed(data, precision=precision, predictor=predictor)
    volume = read_scan(save(tmp_path, slices))
    assert np.array_equal(volume.values, values.transpose(2, 1, 0))


@pytest.mark.parametrize("predictor", SYNTAXES)
def test_slices_and_frames_are_read_in_hu(tmp_path: Path, predictor: int) -> None:
    for name, slices in (("series", series()), ("frames", [enhanced(series())])):
        for data in slices:
            compressed(data, predictor=predictor)
            assert data.file_meta.TransferSyntaxUID == SYNTAXES[predictor]
        volume = read_scan(save(tmp_path / name, slices))
        assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)
        assert volume.modality == "CT"


def test_a_stream_in_several_fragments_is_one_image(tmp_path: Path) -> None:
    slices = [compressed(data) for data in series()]
    stream = encoded(stored()[2], bits=12)
    slices[2].PixelData = encapsulate([stream], fragments_per_frame=2)
    volume = read_scan(save(tmp_path, slices))
    assert np.array_equal(volume.values, stored().transpose(2, 1, 0) - 1024)


def good() -> bytes:
    return encoded(np.random.default_rng(1).integers(0, 4096, (ROWS, COLUMNS)), bits=12)


STREAM = good()
TABLE = STREAM[STREAM.index(b"\xff\xc4") : STREAM.index(b"\xff\xda")]
FRAME = STREAM[STREAM.index(b"\xff\xc3") : STREAM.index(b"\xff\xc4")]
DAMAGED: dict[str, bytes] = {
    "nothing": b"",
    "truncated": STREAM[: len(STREAM) // 2],
    "without its end": STREAM[:-2],
    "no table": STREAM.replace(TABLE, b"", 1),
    "no frame": STREAM.replace(FRAME, b"", 1),
    "two frames": STREAM.replace(FRAME, FRAME + FRAME, 1),
    "a table of no code": STREAM.replace(TABLE, TABLE[:5] + b"\x11" + TABLE[6:], 1),
    "an unknown category": STREAM.replace(TABLE, TABLE[:-1] + b"\x11", 1),
    "another size": STREAM.replace(FRAME, FRAME[:6] + b"\x0f" + FRAME[7:], 1),
    "too many bits": STREAM.replace(FRAME, FRAME[:4] + b"\x11" + FRAME[5:], 1),
    "another kind of JPEG": STREAM.replace(b"\xff\xc3", b"\xff\xc0", 1),
    "no predictor": STREAM.replace(b"\x01\x01\x00\x01\x00\x00", b"\x01\x01\x00\x00\x00\x00", 1),
    "a table that is not there": STREAM.replace(
        b"\x01\x01\x00\x01\x00\x00", b"\x01\x01\x10\x01\x00\x00", 1
    ),
    "a marker within": STREAM[:-20] + b"\xff\xd1" + STREAM[-18:],
    "a length beyond the end": STREAM.replace(TABLE, TABLE[:2] + b"\xff\xff" + TABLE[4:], 1),
}


@pytest.mark.parametrize("stream", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_corrupt_stream_is_a_typed_error(tmp_path: Path, stream: bytes, capfd: Any) -> None:
    values = np.zeros((2, ROWS, COLUMNS), int)
    slices = [compressed(data) for data in slices_of(values, 16, 12, 0)]
    slices[1].PixelData = encapsulate([stream or b"\0\0"])
    with pytest.raises(ScanError, match="missing, truncated or corrupt") as caught:
        read_scan(save(tmp_path, slices), strict=True)
    assert "JPEG Lossless" in str(caught.value)
    assert capfd.readouterr().err == ""


FILLS: dict[str, bytes] = {
    "a fill byte before the end": STREAM[:-2] + b"\xff\xff\xd9",
    "several fill bytes before the end": STREAM[:-2] + b"\xff\xff\xff\xff\xd9",
    "a coded 0xFF before the end": STREAM[:-2] + b"\xff\x00\xff\xff\xd9",
    "fill bytes before the table": STREAM.replace(b"\xff\xc4", b"\xff\xff\xff\xc4", 1),
    "fill bytes before the scan": STREAM.replace(b"\xff\xda", b"\xff\xff\xda", 1),
    "zeros after the end": STREAM + b"\0\0\0",
    "fill bytes after the end": STREAM + b"\xff\xff",
    "a quantization table": STREAM[:2] + b"\xff\xdb\x00\x43\x00" + b"\1" * 64 + STREAM[2:],
    "a table of class 1": STREAM[:2] + b"\xff\xc4\x00\x14\x10\1" + bytes(15) + b"\xf0" + STREAM[2:],
    "sampling factors": STREAM.replace(FRAME, FRAME[:11] + b"\x22" + FRAME[12:], 1),
}


@pytest.mark.parametrize("stream", FILLS.values(), ids=FILLS.keys())
def test_whatever_the_standard_allows_is_read(tmp_path: Path, stream: bytes) -> None:
    slices = [compressed(data) for data in slices_of(np.zeros((2, ROWS, COLUMNS), int), 16, 12, 0)]
    slices[0].PixelData, slices[1].PixelData = encapsulate([STREAM]), encapsulate([stream])
    values = read_scan(save(tmp_path, slices), strict=True).values
    assert values.any()
    assert np.array_equal(values[:, :, 0], values[:, :, 1])


@pytest.mark.parametrize("stream", [STREAM[:-4] + b"\xff\xff\0" + STREAM[-2:], STREAM + STREAM])
def test_other_bytes_after_0xff_and_after_the_end_are_rejected(stream: bytes) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        check(stream, (ROWS, COLUMNS), 16)


def archived(folder: Path) -> tuple[list[Dataset], Path]:
    """A CT series as a hospital sends it, and the folder of its files."""
    values = np.random.default_rng(2).integers(0, 4096, (4, ROWS, COLUMNS))
    values[1, :, 3:] = 4095  # long codes of ones
    slices = slices_of(values, 16, 12, 0)
    for number, data in enumerate(slices):
        for keyword, value in PATIENT.items():
            setattr(data, keyword, value)
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.{number}"
    return slices, save(folder, slices)


@pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="dcmtk is not installed")
@pytest.mark.parametrize("options", ["+e1", "+el +sv 4", "+e1 +fs 1", "+el +sv 7"])
def test_files_of_dcmtk_are_read(tmp_path: Path, options: str) -> None:
    _, folder = archived(tmp_path / "in")
    (tmp_path / "out").mkdir()
    for file in folder.iterdir():
        command = ["dcmcjpeg", *options.split(), file, tmp_path / "out" / file.name]
        subprocess.run(command, check=True, capture_output=True)
    expected = read_scan(folder).values
    assert np.array_equal(read_scan(tmp_path / "out", strict=True).values, expected)


@pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="dcmtk is not installed")
def test_frames_compressed_by_dcmtk_are_read(tmp_path: Path) -> None:
    slices, _ = archived(tmp_path / "in")
    folder = save(tmp_path / "frames", [enhanced(slices)])
    (tmp_path / "out").mkdir()
    for options in ("+e1", "+e1 +ot"):
        command = ["dcmcjpeg", *options.split(), folder / "IM0000", tmp_path / "out" / "frames.dcm"]
        subprocess.run(command, check=True, capture_output=True)
        assert np.array_equal(read_scan(tmp_path / "out").values, read_scan(folder).values)


@pytest.mark.skipif(shutil.which("Orthanc") is None, reason="Orthanc is not installed")
def test_files_transcoded_by_orthanc_are_read(tmp_path: Path) -> None:
    _, folder = archived(tmp_path / "in")
    (tmp_path / "out").mkdir()
    with orthanc(tmp_path / "orthanc") as address:
        for file in folder.iterdir():
            content = transcoded(address, file.read_bytes(), uid.JPEGLosslessSV1)
            (tmp_path / "out" / file.name).write_bytes(content)
    assert dcmread(tmp_path / "out" / file.name).file_meta.TransferSyntaxUID == uid.JPEGLosslessSV1
    expected = read_scan(folder).values
    assert np.array_equal(read_scan(tmp_path / "out", strict=True).values, expected)


def test_padding_comments_and_restart_markers_are_accepted() -> None:
    remark = b"\xff\xfe\x00\x06note" + b"\xff\xff\xff\xdd\x00\x04\x00\x0b"
    check(STREAM[:2] + remark + STREAM[2:] + b"\0\0", (ROWS, COLUMNS), 16)
    restart = STREAM[:2] + remark + STREAM[2:-20] + b"\xff\xd1" + STREAM[-18:]
    check(restart, (ROWS, COLUMNS), 16)


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(STREAM) - 1), st.integers(0, 255)), max_size=6),
    keep=st.integers(0, len(STREAM)),
    ends=st.booleans(),
)
def test_corrupt_streams_never_crash_the_process(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[int, int]],
    keep: int,
    ends: bool,
) -> None:
    stream = bytearray(STREAM)
    for place, value in changes:
        stream[place] = value
    corrupt = bytes(stream[:keep]) + (b"\xff\xd9" if ends else b"")
    (data,) = slices_of(np.zeros((1, ROWS, COLUMNS), int), 16, 12, 0)
    compressed(data).PixelData = encapsulate([corrupt + b"\0" * (len(corrupt) % 2) or b"\0\0"])
    folder = save(tmp_path_factory.mktemp("x"), [data])
    with suppress(ScanError):
        assert read_scan(folder).geometry.shape == (COLUMNS, ROWS, 1)


def test_duplicates_are_found_among_compressed_slices(tmp_path: Path) -> None:
    slices = [compressed(data) for data in series()]
    again = compressed(series()[3], predictor=5)  # the same pixels, another encoding
    again.SOPInstanceUID, again.InstanceNumber = f"{again.SOPInstanceUID}.9", 99
    volume = read_scan(save(tmp_path, [*slices, again]))
    assert volume.warnings == ("1 duplicate slice was skipped.",)


@pytest.mark.parametrize("bits", [8, 12])
def test_12_bit_extended_jpeg_is_rejected_by_name(tmp_path: Path, bits: int) -> None:
    slices = series()
    for data in slices:
        data.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
        data["PixelData"].is_undefined_length = True
        data.BitsStored, data.HighBit = bits, bits - 1
        data.file_meta.TransferSyntaxUID = uid.JPEGExtended12Bit
    words = "compressed as JPEG Extended" if bits > 8 else "truncated or corrupt"
    with pytest.raises(ScanError, match=words):
        read_scan(save(tmp_path, slices))
