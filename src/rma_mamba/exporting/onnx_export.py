"""A trained network as one ONNX file, which is written only if ONNX Runtime computes from it what PyTorch computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

from rma_mamba.conventions import software_version
from rma_mamba.errors import ConfigError
from rma_mamba.exporting.onnx_checks import OnnxReport, check_onnx
from rma_mamba.exporting.weights_licence import BUNDLED_LICENCE, is_from_bundled
from rma_mamba.files import replace_file
from rma_mamba.inference import Segmenter
from rma_mamba.inference.onnx_network import onnx_model_of
from rma_mamba.inference.weights_choice import trained_weights
from rma_mamba.models.stored_weights import Checkpoint, read_arrays
from rma_mamba.portable.onnx_model import FORMAT

OnnxPrecision = Literal["fp32", "fp16", "int8"]

SMALLEST: Final = 32  # pixels of height and width
_UNKNOWN_LICENCE: Final = "not stated; it depends on the training data and the initial weights"


def export_onnx(
    weights: str | Path,
    output: Path,
    *,
    precision: OnnxPrecision = "fp32",
    size: tuple[int, int] | None = None,
    licence: str | None = None,
) -> OnnxReport:
    """Write a trained network as an ONNX file with standard operators only.

    Args:
        weights: "default", the bundled network, or a weights file.
        output: The file to write (.onnx).
        precision: Type in which the weights are stored; arithmetic is float32 in any case.
        size: Height and width of the images, for engines that need fixed ones; None: any from 32 pixels on.
        licence: Licence of the weights, for the metadata.

    Returns:
        How the file was checked.

    Raises:
        WeightsError: The weights are missing, corrupt, or do not segment.
        ConfigError: The network is not an RMA-Mamba, the size is too small, or ONNX Runtime and PyTorch do not agree.
            Nothing is written then.
        BackendError: torch is not installed.
        ScanError: The file cannot be written.
    """
    if size is not None and min(size) < SMALLEST:
        raise ConfigError(
            f"the size is {size[0]}x{size[1]}; expected at least {SMALLEST} pixels each. Choose a larger --size."
        )
    checkpoint = trained_weights(weights, read_arrays)
    metadata = _metadata(checkpoint, licence)
    model = onnx_model_of(checkpoint, metadata, precision, size)
    segmenter = Segmenter.load(weights, device="cpu", runtime="torch")
    report = check_onnx(model.SerializeToString(), segmenter, precision, size)
    model.metadata_props.add(key="verification", value=json.dumps(report.as_dict()))
    replace_file(output, model.SerializeToString(), "ONNX file")
    return report


def _metadata(checkpoint: Checkpoint, licence: str | None) -> dict[str, str]:
    """What the file states about itself; a reader needs the recipe to make slices and masks."""
    classes = checkpoint.recipe.get("labels", {}).get("names", ["liver"])
    content: dict[str, Any] = {
        "format": FORMAT,
        "model": checkpoint.model,
        "settings": checkpoint.settings,
        "recipe": checkpoint.recipe,
        "classes": classes,
        "version": software_version(),
        "licence": licence or _licence(checkpoint),
        "weights_sha256": checkpoint.sha256,
    }
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in content.items()
    }


def _licence(checkpoint: Checkpoint) -> str:
    return BUNDLED_LICENCE if is_from_bundled(checkpoint) else _UNKNOWN_LICENCE
