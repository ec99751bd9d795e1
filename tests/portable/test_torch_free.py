"""Graphs are made and run without torch."""

import subprocess
import sys


def test_neither_graphs_nor_sessions_load_torch() -> None:
    script = (
        "import sys, rma_mamba.portable.onnx_model, rma_mamba.portable.onnx_session;"
        "assert 'onnxruntime' in sys.modules; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
