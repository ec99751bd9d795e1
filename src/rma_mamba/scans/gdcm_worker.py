"""The process that decodes JPEG Lossless with GDCM, which ends its process with an abort at some corrupt images.

Run as a script, without the package. A request is followed by the compressed image, an answer by its pixels; see
`worker_process`. Source: pydicom 3, pixels/decoders/gdcm.py.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import gdcm


def main() -> None:
    """Answer requests."""
    for line in sys.stdin.buffer:
        request = json.loads(line)
        encoded = sys.stdin.buffer.read(request["size"])
        try:
            pixels = _decode(encoded, request)
            answer: dict[str, Any] = {"size": len(pixels)}
        except Exception:
            pixels, answer = b"", {"failed": True}
        sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + pixels)
        sys.stdout.buffer.flush()


def _decode(encoded: bytes, request: dict[str, Any]) -> bytes:
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(encoded)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((request["columns"], request["rows"], 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(request["photometric"])
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    syntax = gdcm.TransferSyntax.GetTSType(request["syntax"])
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    stored = request["bits_stored"]
    image.SetPixelFormat(
        gdcm.PixelFormat(1, request["bits_allocated"], stored, stored - 1, request["signed"])
    )
    pixels: bytes = image.GetBuffer().encode("utf-8", "surrogateescape")
    return pixels


if __name__ == "__main__":
    main()
