"""Weights of all kinds, and a scan to segment with them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from news import ignore_below
from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.models import create_model
from rma_mamba.models.weights import encode_checkpoint, read_checkpoint
from rma_mamba.scans import write_scan
from rma_mamba.training.ensemble_weights import write_ensemble
from tiny import RECIPE, SETTINGS, tiny_weights
from tumours import NESTED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MONAI warns that configurations contain code."""
    ignore_below(items, Path(__file__).parent)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scans" / "phantom.nii.gz"
    path.parent.mkdir()
    made = make_phantom(0, shape=(64, 56, 10), spacing_mm=(5.4, 5.4, 20.0))
    write_scan(made.volume, path)
    return path


def one(path: Path) -> Path:
    return tiny_weights(path)


def ensemble(path: Path) -> Path:
    first, second = tiny_weights(path.with_name("1.safetensors")), path.with_name("2.safetensors")
    content = read_checkpoint(first)
    moved = {name: tensor + 0.02 for name, tensor in content.state.items()}
    second.write_bytes(
        encode_checkpoint(moved, model=content.model, settings=SETTINGS, recipe=RECIPE)
    )
    write_ensemble([first, second], path)
    return path


def two_classes(path: Path) -> Path:
    torch.manual_seed(1)
    settings = {**SETTINGS, "classes": 2}
    state = create_model("rma-mamba-n", **settings).state_dict()
    recipe = {**RECIPE, "labels": NESTED, "tta_scales": [1.0, 1.1]}
    path.write_bytes(
        encode_checkpoint(state, model="rma-mamba-n", settings=settings, recipe=recipe)
    )
    return path


def baseline(path: Path) -> Path:
    torch.manual_seed(2)
    state = create_model("unext").state_dict()
    recipe = {**RECIPE, "neighbours": False, "spacing_mm": None, "threshold": 0.475}
    path.write_bytes(
        encode_checkpoint(state, model="unext", settings={}, recipe=recipe, dtype=torch.float16)
    )
    return path


@pytest.fixture(params=[one, ensemble, two_classes, baseline], ids=lambda make: make.__name__)
def weights(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    make: Callable[[Path], Path] = request.param
    return make(tmp_path / "weights.safetensors")
