"""Weights files of this package as they are stored, without torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from rma_mamba.errors import WeightsError

EMBEDDED: Final = "default"  # name of the weights bundled with the package
FORMAT: Final = "rma-mamba weights 1"

Framework = Literal["np", "pt"]  # arrays of NumPy, or tensors


@dataclass(frozen=True)
class Checkpoint:
    """Content of a weights file of this package.

    Args:
        model: Name for `create_model`.
        settings: Settings for `create_model`.
        recipe: Fields of the slice recipe used in training; may be empty.
        state: Parameters and buffers by name: tensors, or arrays if the file was read without torch.
        sha256: Verified SHA-256 of the tensors.
        provenance: Where the weights come from: recipe, data, initial weights, code; empty if unknown.
    """

    model: str
    settings: dict[str, Any]
    recipe: dict[str, Any]
    state: dict[str, Any]
    sha256: str
    provenance: dict[str, Any] = field(default_factory=dict)


def embedded_weights(name: str = EMBEDDED) -> AbstractContextManager[Path]:
    """Context manager with the path of weights that are bundled with the package."""
    return as_file(files("rma_mamba") / "weights" / f"{name}.safetensors")


def read_arrays(path: str | Path) -> Checkpoint:
    """Read a weights file of this package as NumPy arrays.

    Raises:
        WeightsError: The file is missing, corrupt, or was not written by this package.
    """
    return read_stored(path, "np", _arrays_sha256)


def read_stored(
    path: str | Path, framework: Framework, sha256_of: Callable[[dict[str, Any]], str]
) -> Checkpoint:
    """Read a weights file of this package.

    Args:
        path: Path of the file.
        framework: Type of the tensors.
        sha256_of: The SHA-256 of the tensors.

    Raises:
        WeightsError: The file is missing, corrupt, or was not written by this package.
    """
    metadata, state = read_safetensors(Path(path), framework)
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{Path(path).name} is a safetensors file without the metadata of this package; expected "
            "weights written by `rma-mamba train`. Load it into a network with `load_weights`."
        )
    if metadata.get("sha256") != sha256_of(state):
        raise corrupt_error(Path(path))
    try:
        settings, recipe = (dict(json.loads(metadata[key])) for key in ("settings", "recipe"))
        provenance = dict(json.loads(metadata.get("provenance", "{}")))
        sha256 = metadata["sha256"]
        return Checkpoint(metadata["model"], settings, recipe, state, sha256, provenance)
    except (KeyError, ValueError, TypeError, RecursionError):
        raise corrupt_error(Path(path)) from None


def read_safetensors(path: Path, framework: Framework) -> tuple[dict[str, str], dict[str, Any]]:
    """Metadata and tensors of any safetensors file.

    Raises:
        WeightsError: The file is missing or corrupt.
    """
    check_exists(path)
    try:
        with safe_open(path, framework=framework) as file:
            names = file.keys()
            return file.metadata() or {}, {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError, TypeError):
        raise corrupt_error(path) from None


def stored_recipe(path: str | Path) -> dict[str, Any]:
    """Fields of the slice recipe of a weights file, without reading its tensors; empty if it has none.

    Raises:
        WeightsError: The file is missing or corrupt.
    """
    check_exists(Path(path))
    try:
        with safe_open(path, framework="np") as file:
            return dict(json.loads((file.metadata() or {}).get("recipe", "{}")))
    except (SafetensorError, OSError, ValueError, TypeError, RecursionError):
        raise corrupt_error(Path(path)) from None


def names_and_bytes_sha256(state: Mapping[str, npt.NDArray[np.uint8]]) -> str:
    """SHA-256 of the bytes of tensors with their names, in hexadecimal; independent of their order."""
    sha = hashlib.sha256()
    for name in sorted(state):
        sha.update(name.encode())
        sha.update(state[name].data)
    return sha.hexdigest()


def check_exists(path: Path) -> None:
    """Check that a weights file exists.

    Raises:
        WeightsError: It does not.
    """
    if not path.is_file():
        raise WeightsError(
            f"weights file {path.name} does not exist; expected a .safetensors or .pth file. Check the path."
        )


def corrupt_error(path: Path) -> WeightsError:
    """The error for a file that is corrupt or of another kind."""
    return WeightsError(
        f"{path.name} is corrupt or not a weights file; expected a .safetensors file or a .pth file with "
        "tensors only. Download or copy the file again."
    )


def _arrays_sha256(state: Mapping[str, npt.NDArray[Any]]) -> str:
    contents = {name: np.ascontiguousarray(array) for name, array in state.items()}
    return names_and_bytes_sha256(
        {name: array.reshape(-1).view(np.uint8) for name, array in contents.items()}
    )
