"""Reading of files by ITK in another process, which is started once and replaced if it aborts; see `itk_worker`."""

from __future__ import annotations

import atexit
import json
import math
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from rma_mamba.errors import BackendError, RmaMambaError
from rma_mamba.scans.itk_headers import ItkHeader, corrupt_file
from rma_mamba.scans.stream import read_exactly
from rma_mamba.volume import Affine, affine_from_itk

_WORKER = Path(__file__).with_name("itk_worker.py")
_IMPORT_FAILED = 1  # exit code of Python after an exception that nobody handles


class _Process:
    """The other process: one question at a time."""

    def __init__(self) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-P", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # MetaIO prints paths
            bufsize=0,  # a buffer has a lock, which the child of a fork could wait for
        )
        self.stdin = cast("BinaryIO", self.popen.stdin)
        self.stdout = cast("BinaryIO", self.popen.stdout)

    @property
    def is_usable(self) -> bool:
        """Whether it still runs."""
        return self.popen.poll() is None

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            ScanError: ITK raised an exception or aborted.
            BackendError: SimpleITK cannot be imported.
        """
        with suppress(BrokenPipeError):  # the process has ended; why is found out below
            self.stdin.write(json.dumps(request).encode() + b"\n")
        line = self.stdout.readline()
        answer = json.loads(line) if line else {"failed": True}
        if "failed" in answer:
            raise corrupt_file() if line else self._cause_of_death()
        return cast("dict[str, Any]", answer)

    def voxels(self, descriptor: int | None, size: int) -> npt.NDArray[np.uint8]:
        """The voxels that follow an answer, as bytes."""
        if descriptor is None:
            return read_exactly(self.stdout, size)
        with open(f"/proc/{self.popen.pid}/fd/{descriptor}", "r+b") as file:  # noqa: PTH123
            shared = mmap.mmap(file.fileno(), size, mmap.MAP_SHARED | mmap.MAP_POPULATE)
        self.stdin.write(b"\n")  # the other process may release them
        return np.frombuffer(shared, np.uint8)

    def stop(self) -> None:
        """End the process."""
        self.popen.kill()
        self.popen.wait()
        self.close()

    def close(self) -> None:
        """Close the pipes to the process."""
        self.stdin.close()
        self.stdout.close()

    def _cause_of_death(self) -> Exception:
        code = self.popen.wait()
        if code == -signal.SIGKILL:  # by the kernel, which ran out of memory
            return MemoryError()
        if code == _IMPORT_FAILED:
            return BackendError(
                "SimpleITK cannot be imported; expected it, because it reads NRRD and MetaImage. "
                "Install rma-mamba again, or convert the scan to .nii.gz."
            )
        return corrupt_file()


@dataclass(frozen=True)
class ItkImage:
    """An image whose header ITK has read.

    Args:
        size: Number of voxels along each axis.
        components: Number of components per voxel.
        bits: Bits per voxel after decompression.
    """

    size: tuple[int, ...]
    components: int
    bits: int
    _process: _Process

    def read(self, volume: int) -> tuple[npt.NDArray[Any], Affine]:
        """Voxels [i, j, k] of a volume, counted from 1, and its affine (RAS+ mm).

        Raises:
            ScanError: The voxels are corrupt.
        """
        start, size = [], []
        if len(self.size) > 3:
            start, size = [0, 0, 0, volume - 1], [*self.size[:3], 0]
        grid = self._process.ask({"start": start, "size": size})
        affine = affine_from_itk(grid["direction"], grid["spacing"], grid["origin"])
        dtype, shape = np.dtype(grid["dtype"]), tuple(grid["size"])
        voxels = self._process.voxels(grid["descriptor"], dtype.itemsize * math.prod(shape))
        return voxels.view(dtype).reshape(shape, order="F"), affine


_lock = threading.RLock()
_running: list[_Process] = []  # at most one


@contextmanager
def open_image(header: ItkHeader) -> Iterator[ItkImage]:
    """Read the header of a file; the block can read its voxels.

    Raises:
        ScanError: ITK cannot read the file, or aborts.
        BackendError: SimpleITK cannot be imported.
    """
    with _lock, _plain_path(header) as path:
        process = _process()
        image_io = "NrrdImageIO" if header.is_nrrd else "MetaImageIO"
        try:
            declared = process.ask({"path": path, "image_io": image_io})
            yield ItkImage(
                tuple(declared["size"]), declared["components"], declared["bits"], process
            )
        except RmaMambaError:  # between two answers
            raise
        except BaseException:  # perhaps in the middle of one
            _stop()
            raise


def _process() -> _Process:
    """The running process; a new one if there is none."""
    if not (_running and _running[0].is_usable):
        _stop()
        _running.append(_Process())
    return _running[0]


@atexit.register
def _stop() -> None:
    while _running:
        _running.pop().stop()


def _leave_to_parent() -> None:
    """In the child of a fork: the process and its pipes belong to the parent, and no thread holds the lock."""
    global _lock
    _lock = threading.RLock()
    while _running:
        process = _running.pop()
        process.close()
        process.popen.returncode = 0  # so that nobody waits for it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


@contextmanager
def _plain_path(header: ItkHeader) -> Iterator[str]:
    """A path in ASCII, if need be of a link: ITK aborts at a path that is not valid UTF-8."""
    path = header.path.absolute()
    if str(path).isascii():
        yield str(path)
        return
    with ExitStack() as stack:
        plain = path
        with suppress(OSError):  # no temporary folder, or no links
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rma-mamba-")))
            if header.data_file_name:  # ITK takes its name from the header, byte for byte
                (folder / header.data_file_name).symlink_to(header.data_file[0].absolute())
            plain = folder / f"scan{_suffix(path, header)}"
            plain.symlink_to(path)
        yield str(plain)


def _suffix(path: Path, header: ItkHeader) -> str:
    """The suffix if it is ASCII, else one that fits the format."""
    if path.suffix.isascii():
        return path.suffix
    return ".nrrd" if header.is_nrrd else ".mha"
