"""Disk cache of compiled kernels. Whatever is wrong with it, a kernel is compiled as if the cache were empty.

numba's own cache lists all variants of a kernel in one index file. A damaged index ends the program, and of two
processes that compile different variants at the same time, one overwrites the index of the other, which may then load
code for arrays of another type. Here each variant has its own file, with a checksum, and is written atomically.
"""

from __future__ import annotations

import hashlib
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import llvmlite
from numba.core.caching import FunctionCache, IndexDataCacheFile

_CHECKSUM_BYTES: Final = 32


def cache_on_disk(kernel: Any) -> Any:
    """Let a kernel compiled by numba load its variants from disk and save them there, if numba finds a folder."""
    with suppress(
        RuntimeError, OSError
    ):  # no folder is writable, or the source file cannot be read
        kernel._cache = KernelCache(kernel.py_func)
    return kernel


class KernelCache(FunctionCache):  # type: ignore[misc] # numba has no types
    """The cache of one kernel in the folder that numba chooses; an entry that cannot be used is a cache miss."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file = VariantFiles(
            self.cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp()
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled variant for a signature; None if there is none that can be used."""
        with suppress(Exception):  # a foreign file can raise anything
            return super().load_overload(sig, target_context)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save a compiled variant if possible: the disk may be full, or the folder may have become read-only."""
        with suppress(Exception):
            super().save_overload(sig, data)


class VariantFiles(IndexDataCacheFile):  # type: ignore[misc]
    """One file per variant of a kernel: SHA-256 of the rest, then the pickled origin, key and compiled code."""

    def load(self, key: Any) -> Any:
        """The data saved for a key; None if the file is damaged or of another origin."""
        content = self.path(key).read_bytes()
        checksum, payload = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
        if hashlib.sha256(payload).digest() != checksum:
            return None  # cut off or overwritten; unpickling it could do anything
        *found, data = pickle.loads(payload)
        return data if found == [self._origin, key] else None

    def save(self, key: Any, data: Any) -> None:
        """Replace the file of a key."""
        payload = self._dump((self._origin, key, data))
        with self._open_for_write(str(self.path(key))) as file:
            file.write(hashlib.sha256(payload).digest() + payload)

    def path(self, key: Any) -> Path:
        """The file of a key."""
        name = hashlib.sha256(repr((self._origin, key)).encode()).hexdigest()[:16]
        return Path(self._index_path).with_suffix(f".{name}.nbc")

    @property
    def _origin(self) -> tuple[Any, ...]:
        return self._version, llvmlite.__version__, self._source_stamp, _neighbours()


def _neighbours() -> tuple[tuple[str, int, int], ...]:
    """Time and size of the modules beside this one, whose functions may be compiled into a kernel.

    numba compares those of the file with the kernel only.
    """
    found = ((path.name, path.stat()) for path in sorted(Path(__file__).parent.glob("numba_*.py")))
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)
