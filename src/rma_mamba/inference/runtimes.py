"""What computes a network: PyTorch, or ONNX Runtime without torch."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final, Literal

from rma_mamba.errors import ConfigError
from rma_mamba.extras import check_installed

Runtime = Literal["auto", "onnx", "torch"]

ONNX_SUFFIX: Final = ".onnx"


def choose_runtime(
    requested: Runtime, model: str | Path, precision: str
) -> Literal["onnx", "torch"]:
    """The runtime for a network; "auto" is PyTorch if it is installed, but for ONNX files.

    Args:
        requested: The runtime that the user named.
        model: "default", a weights file or an ONNX file.
        precision: Precision of matrix products.

    Raises:
        BackendError: PyTorch is needed and not installed.
        ConfigError: The runtime does not support the file or the precision.
    """
    is_onnx_file = Path(model).suffix.lower() == ONNX_SUFFIX
    installed = importlib.util.find_spec("torch") is not None
    runtime = requested
    if requested == "auto":
        wanted = precision != "float32" and not is_onnx_file  # only torch has it
        runtime = "torch" if wanted or (installed and not is_onnx_file) else "onnx"
    if runtime == "torch" and is_onnx_file:
        raise ConfigError(
            f"{Path(model).name} is an ONNX file, and the runtime is torch; expected a weights file. "
            "Use --runtime onnx, or name the weights file from which it was exported."
        )
    if runtime == "onnx" and precision != "float32":
        raise ConfigError(
            f"the precision is {precision}; expected float32 with ONNX Runtime. Use --runtime torch."
        )
    if runtime == "torch":
        check_installed("torch", "torch", "the runtime 'torch'")
        return "torch"
    return "onnx"
