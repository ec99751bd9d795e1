"""Import of libraries from optional dependency groups (extras), when a task needs them.

Most modules import such a library at their top, and are themselves imported when a task needs them. If the library is
missing then, `missing_extra` turns the error of Python into one that names the extra.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Final

from rma_mamba.conventions import software_version
from rma_mamba.errors import BackendError

# The extra that installs a library, of those that modules import at their top.
_EXTRAS: Final = {"torch": "torch", "numba": "torch", "lightning": "train", "monai": "train"}


def import_for(name: str, purpose: str) -> ModuleType:
    """Import a module of this package that may need a library of an extra.

    Args:
        name: The module.
        purpose: What needs it, as the subject of the error message.

    Raises:
        BackendError: The library is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = missing_extra(error, purpose)
        if missing is None:
            raise
        raise missing from error


def missing_extra(error: BaseException, purpose: str = "this") -> BackendError | None:
    """The error that names the extra to install, if `error` is about a library of an extra; else None."""
    if not isinstance(error, ModuleNotFoundError):
        return None
    name = error.name or ""
    extra = _EXTRAS.get(name.partition(".")[0])
    return BackendError(_message(name, extra, purpose, error)) if extra else None


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


def check_installed(package: str, extra: str, purpose: str) -> None:
    """Check that a package is installed, without importing it; arguments and errors as in `require_extra`."""
    if importlib.util.find_spec(package) is None:
        error = ModuleNotFoundError(name=package)
        raise BackendError(_message(package, extra, purpose, error))


def _message(module: str, extra: str, purpose: str, error: ImportError) -> str:
    package = module.partition(".")[0]
    missing = isinstance(error, ModuleNotFoundError) and error.name == package
    found = "which is not installed" if missing else f"which cannot be imported ({error})"
    wheel = f"rma_mamba-{software_version()}-py3-none-any.whl"
    return (
        f"{purpose} needs the package {package}, {found}; expected the extra '{extra}'. Install it with: "
        f"pip install '.[{extra}]' from a clone, or pip install '{wheel}[{extra}]'."
    )
