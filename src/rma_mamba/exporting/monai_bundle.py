"""A trained network as a MONAI bundle: weights, configuration and documentation in MONAI's layout."""

from __future__ import annotations

from pathlib import Path

from rma_mamba.files import replace_file
from rma_mamba.inference import Segmenter
from rma_mamba.models.weights import EMBEDDED, embedded_weights

_WEIGHTS = Path("models") / "model.safetensors"


def write_monai_bundle(weights: str | Path, folder: Path) -> None:
    """Write a MONAI bundle.

    Args:
        weights: "default", the bundled network, or a weights file.
        folder: Folder of the bundle.

    Raises:
        WeightsError: The weights are missing, corrupt or do not segment.
        ScanError: A file cannot be written.
    """
    Segmenter.load(weights, device="cpu")
    if str(weights) == EMBEDDED:
        with embedded_weights() as path:
            content = path.read_bytes()
    else:
        content = Path(weights).read_bytes()
    replace_file(folder / _WEIGHTS, content, "bundle")
