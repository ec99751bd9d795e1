"""Disk cache of preprocessed arrays, memory-mapped and shared by all processes of a training run."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import ConfigError

Arrays = dict[str, npt.NDArray[Any]]

_NAMES = "arrays.json"  # the names of the arrays of an entry

# Modules and packages whose code determines the arrays.
_CODE_OF_ARRAYS = (
    *(
        "conventions.py",
        "datasets",
        "label_scheme.py",
        "labels.py",
        "scans",
        "slicing",
        "volume.py",
    ),
)


def cached(folder: str | None, key: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
    """Arrays from the cache, memory-mapped and read-only; computed and stored first if they are missing.

    A cache cannot be stale: an entry is identified by everything that it depends on, including the code.

    Args:
        folder: The cache folder; None: the arrays are computed and kept in memory.
        key: Everything that the arrays depend on besides the code; serialisable as JSON.
        make: Computes the arrays; none of them may be empty.

    Raises:
        ConfigError: The cache cannot be read or written.
    """
    if folder is None:
        return make()
    text = json.dumps({"code": _code(), **key}, sort_keys=True, default=str)
    place = Path(folder) / hashlib.sha256(text.encode()).hexdigest()[:32]
    with _cache_errors(place.parent):
        found = _read(place)
    if found is None:
        arrays = make()  # its errors are not errors of the cache
        with _cache_errors(place.parent):
            _write(place, arrays)
            found = _read(place)
    return found or arrays


@contextmanager
def _cache_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"the cache in {folder.name} cannot be used ({error.strerror or error}); expected a writable "
            "folder with enough space. Choose another one with --set data.cache=FOLDER, or delete this one."
        ) from None


def _read(place: Path) -> Arrays | None:
    """The arrays of an entry; None if there is none, or not all of them. A damaged entry is removed."""
    try:
        names = json.loads((place / _NAMES).read_text())
        return {name: np.load(place / f"{name}.npy", mmap_mode="r") for name in names}
    except FileNotFoundError:  # incomplete, or another process removes it
        return None
    except (EOFError, ValueError):  # cut off, as after a power failure
        _remove(place)
        return None


def _remove(place: Path) -> None:
    """Remove a damaged entry, out of the way of other processes that store the same arrays meanwhile."""
    damaged = Path(tempfile.mkdtemp(dir=place.parent, prefix=".damaged-"))
    with suppress(OSError):  # another process has removed it
        place.rename(damaged / place.name)
    shutil.rmtree(damaged, ignore_errors=True)


def fingerprint(paths: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Name, size and modification time of files, which change when a file does."""
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


def _write(place: Path, arrays: Arrays) -> None:
    """Store arrays atomically: other processes see either none of them or all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=place.parent, prefix=".unfinished-"))
    try:
        for name, array in arrays.items():
            np.save(unfinished / f"{name}.npy", array)
        (unfinished / _NAMES).write_text(json.dumps(sorted(arrays)))
        if place.is_dir() and _read(place) is None:
            _remove(place)
        unfinished.rename(place)
    except OSError:
        if not place.is_dir():  # else another process has stored the same arrays
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@cache
def _code() -> str:
    """Digest of the code that computes arrays."""
    digest = hashlib.sha256()
    for name in _CODE_OF_ARRAYS:
        for file in _python_files(files("rma_mamba") / name):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _python_files(place: Traversable) -> Iterator[Traversable]:
    """The module itself, or all modules of a package and its subpackages, in a fixed order."""
    if place.is_file() and place.name.endswith(".py"):
        yield place
    elif place.is_dir():
        for inside in sorted(place.iterdir(), key=lambda each: each.name):
            yield from _python_files(inside)
