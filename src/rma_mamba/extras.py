"""Import of libraries from optional dependency groups (extras), when a task needs them."""

from __future__ import annotations

import importlib
from types import ModuleType

from rma_mamba.conventions import software_version
from rma_mamba.errors import BackendError


def require_extra(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a library of an optional dependency group.

    Args:
        module: Name to import: "ray", "lightning.pytorch".
        extra: The group in pyproject.toml that installs it: "train".
        purpose: What needs it, as the subject of the error message: "training", "the engine 'ray'".

    Raises:
        BackendError: The library is not installed, or it is installed but cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise BackendError(_message(module, extra, purpose, error)) from error


def _message(module: str, extra: str, purpose: str, error: ImportError) -> str:
    package = module.partition(".")[0]
    missing = isinstance(error, ModuleNotFoundError) and error.name == package
    found = "which is not installed" if missing else f"which cannot be imported ({error})"
    wheel = f"rma_mamba-{software_version()}-py3-none-any.whl"
    return (
        f"{purpose} needs the package {package}, {found}; expected the extra '{extra}'. Install it with: "
        f"pip install '.[{extra}]' from a clone, or pip install '{wheel}[{extra}]'."
    )
