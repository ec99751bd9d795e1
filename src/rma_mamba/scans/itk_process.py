"""Reading of files by ITK in another process; see `itk_worker`."""

from __future__ import annotations

import math
import mmap
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.scans.itk_headers import ItkHeader, corrupt_file
from rma_mamba.scans.stream import read_exactly
from rma_mamba.scans.worker_process import IsolatedLibrary, WorkerError, WorkerProcess
from rma_mamba.volume import Affine, affine_from_itk

ITK = IsolatedLibrary(
    Path(__file__).with_name("itk_worker.py"),
    "SimpleITK",
    "Install the extra 'itk' (pip install '.[itk]' from a clone)",
)


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
    _process: WorkerProcess

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
        voxels = self._voxels(grid["descriptor"], dtype.itemsize * math.prod(shape))
        return voxels.view(dtype).reshape(shape, order="F"), affine

    def _voxels(self, descriptor: int | None, size: int) -> npt.NDArray[np.uint8]:
        """The voxels that follow an answer, or that are in a file in memory of the other process, as bytes."""
        if descriptor is None:
            return read_exactly(self._process.stdout, size)
        with open(f"/proc/{self._process.popen.pid}/fd/{descriptor}", "r+b") as file:  # noqa: PTH123
            shared = mmap.mmap(file.fileno(), size, mmap.MAP_SHARED | mmap.MAP_POPULATE)
        self._process.send(b"\n")  # the other process may release them
        return np.frombuffer(shared, np.uint8)


@contextmanager
def open_image(header: ItkHeader) -> Iterator[ItkImage]:
    """Read the header of a file; the block can read its voxels.

    Raises:
        ScanError: ITK cannot read the file, or aborts.
        BackendError: SimpleITK cannot be imported.
    """
    image_io = "NrrdImageIO" if header.is_nrrd else "MetaImageIO"
    with ITK.session() as process, _plain_path(header) as path:
        try:
            declared = process.ask({"path": path, "image_io": image_io})
            yield ItkImage(
                tuple(declared["size"]), declared["components"], declared["bits"], process
            )
        except WorkerError as error:
            raise corrupt_file() from error


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
