"""A network on ONNX Runtime, made from a weights file or read from an ONNX file, without torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from rma_mamba.errors import ConfigError, WeightsError
from rma_mamba.inference.runtimes import ONNX_SUFFIX
from rma_mamba.inference.weights_choice import misfit_error, trained_weights
from rma_mamba.models.earlier_presets import EARLIER_PRESETS
from rma_mamba.models.registry import ENSEMBLE, NETWORKS
from rma_mamba.models.rma_mamba_config import RMAMambaConfig
from rma_mamba.models.stored_weights import Checkpoint, read_arrays

if TYPE_CHECKING:
    from rma_mamba.portable.graph_builder import Precision
    from rma_mamba.portable.onnx_session import OnnxNetwork


def load_onnx_network(model: str | Path, device: str) -> tuple[OnnxNetwork, Checkpoint]:
    """A network with trained weights, and what its file states (of an ONNX file, without the tensors).

    Raises:
        WeightsError: The file is missing, corrupt, or does not segment.
        ConfigError: The network is not an RMA-Mamba.
        BackendError: The device cannot be used.
    """
    from rma_mamba.portable.onnx_session import OnnxNetwork

    if Path(model).suffix.lower() == ONNX_SUFFIX:
        content, checkpoint = _read_onnx_file(Path(model))
        return OnnxNetwork(content, device, kept_as=sha256(content).hexdigest()), checkpoint
    checkpoint = trained_weights(model, read_arrays)
    return OnnxNetwork(
        partial(_model, checkpoint), device, kept_as=_identity(checkpoint)
    ), checkpoint


def _model(checkpoint: Checkpoint) -> bytes:
    try:
        content: bytes = onnx_model_of(checkpoint, {}).SerializeToString()
    except pydantic.ValidationError:
        raise misfit_error(checkpoint.model) from None
    return content


def _identity(checkpoint: Checkpoint) -> str:
    """The weights, and the state of the code that makes a model of them."""
    package = Path(__file__).parents[1]
    code = sorted([*(package / "portable").glob("*.py"), *(package / "models").glob("*.py")])
    states = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in code]
    return repr((checkpoint.sha256, checkpoint.model, checkpoint.settings, states))


def onnx_recipe(path: Path) -> dict[str, Any]:
    """Fields of the slice recipe of an ONNX file of this package.

    Raises:
        WeightsError: The file is missing, corrupt, or was not written by this package.
    """
    return _read_onnx_file(path)[1].recipe


def onnx_model_of(
    checkpoint: Checkpoint,
    metadata: Mapping[str, str],
    precision: Precision = "fp32",
    size: tuple[int, int] | None = None,
) -> Any:
    """The network of a weights file as an ONNX model; arguments as in `build_onnx_model`.

    Args:
        checkpoint: The weights file, read with NumPy arrays.
        metadata: Text by key.
        precision: Type in which weights are stored.
        size: Fixed height and width of the images.

    Raises:
        ConfigError: The network is not an RMA-Mamba, or an ensemble of them.
        WeightsError: The weights do not fit the network.
    """
    from rma_mamba.portable.onnx_model import build_onnx_model

    exclusive = bool(checkpoint.settings.get("exclusive"))
    for members in _settings(checkpoint):
        configs = [RMAMambaConfig(**each) for each in members]
        try:
            return build_onnx_model(
                configs,
                checkpoint.state,
                metadata,
                exclusive=exclusive,
                precision=precision,
                size=size,
            )
        except ConfigError:  # a parameter is missing: the preset may be an earlier one
            continue
    raise misfit_error(checkpoint.model)


def _settings(checkpoint: Checkpoint) -> Iterator[list[dict[str, Any]]]:
    """Possible settings of the network or of the members of an ensemble: of today's preset, then of earlier ones."""
    if checkpoint.model == ENSEMBLE:
        members = checkpoint.settings["members"]
        yield [{**_preset(each["model"]), **each.get("settings", {})} for each in members]
        return
    preset = _preset(checkpoint.model)
    for earlier in ({}, *EARLIER_PRESETS.get(checkpoint.model, ())):
        yield [{**preset, **earlier, **checkpoint.settings}]


def _preset(model: str) -> dict[str, Any]:
    if model not in NETWORKS:
        raise ConfigError(
            f"the weights are of the network '{model}'; expected one of {', '.join(NETWORKS)}. "
            "Other networks run on PyTorch only: use --runtime torch."
        )
    return NETWORKS[model]


def _read_onnx_file(path: Path) -> tuple[bytes, Checkpoint]:
    """The content of an ONNX file of this package, and what it states.

    Raises:
        WeightsError: The file is missing, corrupt, or was not written by this package.
    """
    from rma_mamba.portable.onnx_model import verified_metadata

    if not path.is_file():
        raise WeightsError(f"{path.name} does not exist; expected an ONNX file. Check the path.")
    content = path.read_bytes()
    try:
        stored = verified_metadata(content)
        settings, recipe = (dict(json.loads(stored[key])) for key in ("settings", "recipe"))
        checksum = stored["weights_sha256"]
        return content, Checkpoint(stored["model"], settings, recipe, {}, checksum)
    except (KeyError, ValueError, TypeError, RecursionError):
        raise WeightsError(
            f"{path.name} is corrupt or not an ONNX file of this package; expected one written by `rma-mamba export`. "
            "Export it again."
        ) from None
