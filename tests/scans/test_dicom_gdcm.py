"""GDCM decodes in a process of its own: an abort costs one image."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEGLossless, JPEGLosslessSV1

from dicom_series import COLUMNS, ROWS, SLICES, save, series, stored
from jpeg_lossless import compressed, encoded
from rma_mamba.errors import ScanError
from rma_mamba.scans import dicom_gdcm, jpeg_lossless, read_scan
from rma_mamba.scans.dicom_gdcm import GDCM, PLUGIN, decode_frame, register

VALUES = np.random.default_rng(1).integers(0, 4096, (ROWS, COLUMNS)).astype("<u2")
STREAM = encoded(VALUES, bits=12)


def runner(**changes: Any) -> Any:
    fields = {"columns": COLUMNS, "rows": ROWS, "photometric_interpretation": "MONOCHROME2"}
    fields |= {"transfer_syntax": str(JPEGLossless), "bits_allocated": 16, "bits_stored": 12}
    return SimpleNamespace(**{**fields, "pixel_representation": 0, **changes})


def test_pixels_are_decoded_without_loss_by_one_process() -> None:
    first = GDCM.process
    for _ in range(2):
        assert decode_frame(STREAM, runner()) == VALUES.tobytes()
        assert first is None or GDCM.process is first
        first = GDCM.process


def corrupt(place: int, value: int) -> bytes:
    stream = bytearray(STREAM)
    stream[place] = value
    return bytes(stream)


@pytest.mark.parametrize(
    "stream", [corrupt(6, 255), corrupt(15, 0), corrupt(16, 0), b"", b"\xff\xd8"]
)
def test_an_abort_or_an_exception_is_a_value_error_and_the_next_image_is_decoded(
    stream: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - pydicom adds the message
        decode_frame(stream, runner())
    assert decode_frame(STREAM, runner()) == VALUES.tobytes()
    assert capfd.readouterr() == ("", "")


def test_some_of_these_really_abort() -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        decode_frame(corrupt(15, 0), runner())
    assert GDCM.process is not None
    assert GDCM.process.popen.wait(timeout=30) < 0  # ended by a signal


def test_an_abort_costs_one_slice_of_a_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jpeg_lossless, "check", lambda *_: None)  # which finds most corrupt streams
    slices = [compressed(data) for data in series()]
    slices[2].PixelData = encapsulate([corrupt(15, 0)])
    folder = save(tmp_path / "series", slices)
    volume = read_scan(folder)
    assert volume.geometry.shape == (COLUMNS, ROWS, SLICES)
    assert np.array_equal(volume.values[..., 3], stored()[3].T - 1024)
    with pytest.raises(ScanError, match="truncated or corrupt"):
        read_scan(folder, strict=True)


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1])
def test_the_decoder_is_registered_once_under_its_name(syntax: Any) -> None:
    register()
    register()
    assert get_decoder(syntax).available_plugins.count(PLUGIN) == 1
    assert dicom_gdcm.is_available(syntax)
