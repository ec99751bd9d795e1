"""Networks as ONNX Runtime has optimised them, kept on disk: a session then starts four times as fast.

An optimised network is valid for one version of ONNX Runtime on one kind of processor, which its name states. Whatever
is wrong with a file, or if none can be written, the network is optimised again.
"""

from __future__ import annotations

import hashlib
import platform
from contextlib import suppress
from pathlib import Path
from typing import Final

from rma_mamba.environment import user_folder
from rma_mamba.errors import ScanError
from rma_mamba.files import replace_file

_CHECKSUM_BYTES: Final = 32
_KEPT: Final = 4  # files, of up to 20 MB each
_CPU_INFO: Final = Path("/proc/cpuinfo")


def read_optimized(model: str, runtime: str) -> bytes | None:
    """The optimised form of a model; None if there is none that can be used.

    Args:
        model: What identifies the model.
        runtime: Version of ONNX Runtime.
    """
    try:
        found = _path(model, runtime).read_bytes()
    except (OSError, RuntimeError):  # no file, or no home
        return None
    checksum, optimized = found[:_CHECKSUM_BYTES], found[_CHECKSUM_BYTES:]
    return optimized if hashlib.sha256(optimized).digest() == checksum else None


def networks_folder() -> Path:
    """The folder of optimised networks; it need not exist.

    Raises:
        RuntimeError: The user has no home.
    """
    return user_folder() / "networks"


def keep_optimized(model: str, runtime: str, optimized: bytes) -> None:
    """Keep the optimised form of a model if possible, and delete all but the latest files.

    Args:
        model: What identifies the model.
        runtime: Version of ONNX Runtime.
        optimized: Its optimised form.
    """
    with suppress(OSError, RuntimeError, ScanError):
        path = _path(model, runtime)
        replace_file(path, hashlib.sha256(optimized).digest() + optimized, "optimised network")
        files = sorted(path.parent.glob("*.ort"), key=lambda each: each.stat().st_mtime)
        for outdated in files[:-_KEPT]:
            outdated.unlink(missing_ok=True)


def _path(model: str, runtime: str) -> Path:
    name = hashlib.sha256(repr((model, runtime, _processor())).encode()).hexdigest()[:32]
    return networks_folder() / f"{name}.ort"


def _processor() -> str:
    """The processor's instruction sets, which decide how ONNX Runtime arranges weights; or else the machine."""
    with suppress(OSError):
        lines = _CPU_INFO.read_text().splitlines()
        flags = [line for line in lines if line.startswith(("flags", "Features"))]
        if flags:
            return flags[0]
    return f"{platform.machine()} {platform.processor()} {platform.node()}"
