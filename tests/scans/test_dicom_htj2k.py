"""High-Throughput JPEG 2000 is decoded by Pillow's OpenJPEG, or rejected by name where that is too old."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import uid
from pydicom.encaps import encapsulate

from dicom_series import COLUMNS, ROWS, enhanced, save, series
from rma_mamba.errors import ScanError
from rma_mamba.scans import dicom_pixels, read_scan

# Encoded with OpenJPH: arange(20) * 3000 + 5 as uint16, and arange(20) * 300 - 2000 as int16, in 5 rows.
UNSIGNED = b64decode(
    "/0//UQApQAAAAAAEAAAABQAAAAAAAAAAAAAABAAAAAUAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQkJCQ"
    "kJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAD4AAf+TwAAmF+oEB3QAAADAABMA/nYFh3QAwAAVALq0Lv0EC3QA"
    "wAAqwG7ndm73AOIzgnYA/9k="
)
SIGNED = b64decode(
    "/0//UQApQAAAAAAEAAAABQAAAAAAAAAAAAAABAAAAAUAAAAAAAAAAAABjwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQkJCQ"
    "kJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAADwAAf+TwAAmwv0Ch3QAAADAABMAfuUEB3QAwAATgEQl6gKLdADA"
    "ACqAVqxY+QCCMgJ2AP/Z"
)
RAMP = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
STREAMS = {"unsigned": (UNSIGNED, 0, RAMP * 3000 + 5), "signed": (SIGNED, 1, RAMP * 300 - 2000)}
SYNTAXES = (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)


def compressed(stream: bytes, signed: int, syntax: str, *, frames: bool) -> list[Any]:
    slices = series()
    for data in slices:
        data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 15, signed
        data.RescaleIntercept = 0
    objects = [enhanced(slices)] if frames else slices
    for data in objects:
        data.PixelData = encapsulate([stream + b"\0" * (len(stream) % 2)] * (6 if frames else 1))
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True
        data.file_meta.TransferSyntaxUID = syntax
    return objects


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("frames", [False, True])
def test_every_value_is_decoded(tmp_path: Path, name: str, syntax: str, frames: bool) -> None:
    stream, signed, expected = STREAMS[name]
    folder = save(tmp_path, compressed(stream, signed, syntax, frames=frames))
    values = read_scan(folder).values
    assert values.shape == (COLUMNS, ROWS, 6)
    assert np.array_equal(values, np.repeat(expected.T[:, :, None], 6, axis=2))


def test_a_truncated_stream_is_damage(tmp_path: Path) -> None:
    folder = save(tmp_path, compressed(UNSIGNED[:60], 0, uid.HTJ2KLossless, frames=False))
    with pytest.raises(ScanError, match=r"truncated or corrupt \(High-Throughput JPEG 2000"):
        read_scan(folder)


@pytest.mark.parametrize("version", ["2.4.0", None])
def test_an_older_library_is_an_error_that_names_the_encoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    monkeypatch.setattr(dicom_pixels.features, "version_codec", lambda _: version)
    folder = save(tmp_path, compressed(UNSIGNED, 0, uid.HTJ2K, frames=False))
    with pytest.raises(ScanError, match="compressed as High-Throughput JPEG 2000") as caught:
        read_scan(folder)
    assert "Export the series uncompressed" in str(caught.value)
