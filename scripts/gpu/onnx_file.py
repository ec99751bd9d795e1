"""An exported network on ONNX Runtime, on the GPU where its CUDA provider is installed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 160
SLICES = 16


def check_onnx(path: Path, device: str) -> dict[str, Any]:
    """Milliseconds of a stack of slices on each provider, and the largest difference from the CPU's logits."""
    import onnxruntime

    available = onnxruntime.get_available_providers()
    wanted = ["CPUExecutionProvider"]
    if device.startswith("cuda") and "CUDAExecutionProvider" in available:
        wanted.append("CUDAExecutionProvider")
    rows, logits = [], []
    for provider in wanted:
        session = onnxruntime.InferenceSession(str(path), providers=[provider])
        first = session.get_inputs()[0]
        stack = _input(first.shape)
        session.run(None, {first.name: stack})
        started = time.perf_counter()
        logits.append(session.run(None, {first.name: stack})[-1])
        rows.append({"provider": provider, "ms": 1e3 * (time.perf_counter() - started)})
        rows[-1]["largest difference"] = float(np.abs(logits[-1] - logits[0]).max())
    return {"providers": available, "runs": rows}


def _input(shape: list[Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Random images in place of the free axes."""
    free = {len(shape) - 1: SIDE, len(shape) - 2: SIDE, len(shape) - 4: SLICES, 0: SLICES}
    size = [each if isinstance(each, int) else free.get(axis, 1) for axis, each in enumerate(shape)]
    if len(size) == 5:
        size[0] = 1
    return np.random.default_rng(0).random(size, np.float32)
