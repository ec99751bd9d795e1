"""The code of the guide to other programs runs an exported file without this package."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rma_mamba.exporting.onnx_export import export_onnx
from rma_mamba.inference import Segmenter
from rma_mamba.models import create_model
from rma_mamba.models.weights import encode_checkpoint
from tiny import RECIPE, SETTINGS

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "embed.md"


@pytest.mark.slow
def test_the_python_code_makes_the_mask(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = create_model("rma-mamba-n", **SETTINGS).state_dict()
    recipe = RECIPE | {"threshold": 0.67}
    content = encode_checkpoint(state, model="rma-mamba-n", settings=SETTINGS, recipe=recipe)
    (tmp_path / "small.safetensors").write_bytes(content)
    export_onnx(tmp_path / "small.safetensors", tmp_path / "model.onnx")
    slices = np.random.default_rng(0).random((3, 3, 40, 48), np.float32)
    np.save(tmp_path / "slices.npy", slices)
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    assert "rma_mamba" not in code
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    logits = Segmenter.load(tmp_path / "small.safetensors", device="cpu").logits(slices)
    expected = logits[:, 0] > np.log(0.67 / 0.33)
    found = np.load(tmp_path / "mask.npy")
    assert 0 < expected.mean() < 1
    assert (found != expected).mean() < 1e-3
