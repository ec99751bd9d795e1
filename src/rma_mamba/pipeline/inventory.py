"""Installed versions, networks, backends, devices and weights, found without importing torch, which takes seconds."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import sys
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from types import ModuleType

from rma_mamba.conventions import SOFTWARE_NAME, software_version

LIBRARIES = (
    "torch",
    "onnxruntime",
    "numpy",
    "numba",
    "scipy",
    "monai",
    "lightning",
    "nibabel",
    "pydicom",
    "pydantic",
    "safetensors",
    "pillow",
    "typer",
)


def take_inventory() -> dict[str, dict[str, str]]:
    """The inventory: for each heading, names and their descriptions."""
    return {
        "versions": _versions(),
        "models": _models(),
        "operator_backends": _backends(),
        "devices": _devices(),
        "embedded_weights": _weights(),
    }


def _versions() -> dict[str, str]:
    found = {SOFTWARE_NAME: software_version(), "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _models() -> dict[str, str]:
    registry = _load_standalone("models/registry.py")
    counts: dict[str, int] = getattr(registry, "PARAMETERS", {})
    return {name: f"{count:,} parameters" for name, count in counts.items()}


def _backends() -> dict[str, str]:
    backends = _load_standalone("ops/backends.py")
    found: dict[str, str] = backends.available_backends() if backends else {}
    return {name: f"cannot run: {lack}" if lack else "ready" for name, lack in found.items()}


def _devices() -> dict[str, str]:
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    cores = len(affinity(0)) if affinity else os.cpu_count()
    found = {"cpu": f"{cores} cores"}
    gpus = sum(path.name[6:].isdigit() for path in Path("/dev").glob("nvidia*"))
    if gpus:
        cpu_build = _versions()["torch"].endswith("+cpu")
        found["cuda"] = f"{gpus} GPU(s)" + (", but torch is a CPU build" if cpu_build else "")
    return found


def _weights() -> dict[str, str]:
    folder = files("rma_mamba") / "weights"
    if not folder.is_dir():
        return {}
    found = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".safetensors"):
            content = file.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            found[file.name] = f"{len(content) / 1e6:.1f} MB, SHA-256 {digest[:12]}"
    return found


def _load_standalone(path: str) -> ModuleType | None:
    """Load one module of this package without its parent package, which would import torch."""
    file = Path(str(files("rma_mamba") / path))
    if not file.is_file():
        return None
    name = f"_rma_mamba_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        return None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
