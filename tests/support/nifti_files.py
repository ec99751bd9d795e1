"""NIfTI files with any header fields, however wrong, and a check of error messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from rma_mamba.volume import Mask, Volume

AFFINE = np.array([[-1.2, 0.1, 0, 90], [0.08, 1.5, 0.2, -120], [0, -0.3, 5, 40], [0, 0, 0, 1.0]])
OBLIQUE = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.3, -0.2, 0.1) * [1.2, 1.5, 5], [90, -120, 40]
)
SHAPE = (5, 4, 3)
RAMP = np.arange(60, dtype=np.int16).reshape(SHAPE) - 20


def image_of(values: Any = RAMP, affine: Any = OBLIQUE, version: int = 1) -> Any:
    return (nib.Nifti1Image if version == 1 else nib.Nifti2Image)(values, affine)


def content_of(image: Any = None, **fields: Any) -> bytes:
    """The bytes of a .nii file whose header fields were overwritten, however wrong."""
    content = bytearray((image_of() if image is None else image).to_bytes())
    kind = nib.Nifti1Header if image is None else type(image).header_class
    size = int(kind()["sizeof_hdr"])
    header = kind(bytes(content[:size]), check=False)
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + bytes(content[size:])


def patched(**fields: Any) -> bytes:
    return content_of(None, **fields)


def save(folder: Path, content: bytes, name: str = "scan.nii") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def mask_of(volume: Volume, labels: Any = None) -> Mask:
    labels = (volume.values > volume.values.mean()) if labels is None else labels
    return Mask(labels.astype(np.uint8), volume.geometry, volume.header)


def assert_helpful(message: str) -> None:
    """One line: what was found, what was expected, and a sentence on what to do."""
    assert "\n" not in message
    assert "expected" in message
    assert message.endswith(".")
    assert message.split(". ")[-1][0].isupper()
    assert len(message.split(". ")) >= 2
