"""A trained network as a MONAI bundle: weights, configuration and documentation in MONAI's layout."""

from __future__ import annotations

import io
import json
import tempfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rma_mamba.errors import ConfigError
from rma_mamba.exporting.bundle_config import LOGGING, inference_config
from rma_mamba.exporting.bundle_metadata import bundle_metadata
from rma_mamba.exporting.bundle_readme import readme
from rma_mamba.exporting.finest_logits import PREFIX
from rma_mamba.exporting.weights_licence import DATA_LICENCES, is_from_bundled, licence_text
from rma_mamba.extras import require_extra
from rma_mamba.files import write_together
from rma_mamba.inference import Segmenter
from rma_mamba.inference.weights_choice import trained_weights
from rma_mamba.models import checkpoint_settings
from rma_mamba.models.weights import Checkpoint, read_checkpoint
from rma_mamba.training.weights_tools import average_weights

_METADATA = "configs/metadata.json"  # written last: a bundle with it is complete
_CHECKPOINT = ".ckpt"


def write_monai_bundle(weights: str | Path, folder: Path, *, licence: str | None = None) -> None:
    """Write a MONAI bundle, which MONAI's command runs: `python -m monai.bundle run`.

    Args:
        weights: "default", the bundled network; a weights file, also of an ensemble; or a checkpoint in the folder
            of its run.
        folder: Folder of the bundle; it is empty or does not exist.
        licence: Licence of the weights, for LICENSE.

    Raises:
        BackendError: MONAI is not installed.
        ConfigError: The folder is not empty.
        WeightsError: The weights are missing, corrupt or do not segment.
        ScanError: A file cannot be written.
    """
    require_extra("monai", "bundle", "a MONAI bundle")
    _check_empty(folder)
    if Path(weights).suffix == _CHECKPOINT:
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "weights.safetensors"
            average_weights([Path(weights)], path)
            files = _files(path, licence)
    else:
        files = _files(weights, licence)
    with write_together("bundle", last=folder / _METADATA) as place:
        for name, data in files.items():
            place(folder / name).write_bytes(data)


def _files(weights: str | Path, licence: str | None) -> dict[str, bytes]:
    """The files of a bundle by their names."""
    recipe = Segmenter.load(weights, device="cpu", runtime="torch").recipe
    content = trained_weights(weights, read_checkpoint)
    content = replace(content, settings=checkpoint_settings(content))
    texts = {
        "LICENSE": licence_text(content, licence),
        "docs/README.md": readme(content, recipe),
        "configs/logging.conf": LOGGING,
        "configs/inference.json": _json(inference_config(content, recipe)),
        _METADATA: _json(bundle_metadata(content, recipe)),
    }
    if is_from_bundled(content):
        texts["docs/data_license.txt"] = DATA_LICENCES
    files = {name: text.encode() for name, text in texts.items()}
    return {"models/model.pt": _state_dict(content), **files}


def _state_dict(content: Checkpoint) -> bytes:
    """The tensors as they are stored, named as in `FinestLogits`, in PyTorch's format."""
    state = OrderedDict((PREFIX + name, tensor) for name, tensor in content.state.items())
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=4) + "\n"


def _check_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists():
        raise ConfigError(
            "the folder of the bundle is not empty; expected an empty folder, or a new one. Choose another folder, "
            "or remove what it contains."
        )
