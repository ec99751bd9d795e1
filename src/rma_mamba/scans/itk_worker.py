"""The process that reads NRRD and MetaImage with SimpleITK; the only module that imports it.

ITK ends its process with an abort where other libraries raise an exception, for example at a file name that is not
valid UTF-8. In a process of its own, an abort costs one scan. This file is run as a script, without the package; it
answers each line of JSON on stdin with one line of JSON on stdout, until stdin is closed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import SimpleITK as sitk  # noqa: N813 - the customary name


def main() -> None:
    """Answer requests."""
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageFileReader()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            if "path" in request:
                _read_header(reader, **request)
            else:
                _read_voxels(reader, **request)
        except Exception:  # the message of ITK contains the path
            _send({"failed": True})


def _read_header(reader: Any, path: str, image_io: str) -> None:
    """Answer with what the header declares."""
    reader.SetImageIO(image_io)
    reader.SetFileName(path)
    reader.ReadImageInformation()
    bits = sitk.GetPixelIDValueAsString(reader.GetPixelID()).partition("-")[0]
    _send(
        {
            "size": reader.GetSize(),
            "components": reader.GetNumberOfComponents(),
            "bits": int(bits) if bits.isdecimal() else 8,
        }
    )


def _read_voxels(reader: Any, start: list[int], size: list[int]) -> None:
    """Answer with the grid of the image, or of a part of it; the voxels follow, or are in a file in memory."""
    reader.SetExtractIndex(start)  # both empty: all of it
    reader.SetExtractSize(size)
    image = reader.Execute()
    values = sitk.GetArrayViewFromImage(image)
    voxels = memoryview(values).cast("B")
    descriptor = _in_memory(voxels)
    _send(
        {
            "spacing": image.GetSpacing(),
            "origin": image.GetOrigin(),
            "direction": image.GetDirection(),
            "size": image.GetSize(),
            "dtype": values.dtype.str,
            "descriptor": descriptor,
        }
    )
    if descriptor is None:
        sys.stdout.buffer.write(voxels)
        sys.stdout.buffer.flush()
        return
    sys.stdin.buffer.readline()  # until the other process has opened the file
    os.close(descriptor)


def _in_memory(voxels: memoryview) -> int | None:
    """A file in memory with the voxels; None where there are no such files (other systems than Linux)."""
    try:
        descriptor = os.memfd_create("voxels")
    except (AttributeError, OSError):
        return None
    if not Path(f"/proc/self/fd/{descriptor}").exists():  # the other process could not open it
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(voxels)
    return descriptor


def _send(message: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
