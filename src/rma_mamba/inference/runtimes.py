"""What computes a network: PyTorch, or ONNX Runtime without torch."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final, Literal

from rma_mamba.errors import BackendError, ConfigError

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
        BackendError: PyTorch is not installed.
        ConfigError: The runtime does not support the file or the precision.
    """
    is_onnx_file = Path(model).suffix.lower() == ONNX_SUFFIX
    installed = importlib.util.find_spec("torch") is not None
    runtime = requested
    if requested == "auto":
        runtime = "torch" if installed and not is_onnx_file else "onnx"
    if runtime == "torch" and is_onnx_file:
        raise ConfigError(
            f"{Path(model).name} is an ONNX file, and the runtime is torch; expected a weights file. "
            "Use --runtime onnx, or name the weights file from which it was exported."
        )
    if runtime == "torch" and not installed:
        raise BackendError(
            "the runtime 'torch' needs the package torch, which is not installed; expected an installation of PyTorch. "
            "Install it with pip install torch, or use --runtime onnx."
        )
    if runtime == "onnx" and precision != "float32":
        raise ConfigError(
            f"the precision is {precision}; expected float32 with ONNX Runtime. Use --runtime torch."
        )
    return "onnx" if runtime == "onnx" else "torch"
