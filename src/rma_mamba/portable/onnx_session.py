"""The entry point of ONNX Runtime."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from rma_mamba.errors import BackendError
from rma_mamba.portable.onnx_model import INPUT, OUTPUTS
from rma_mamba.portable.optimized_networks import (
    keep_optimized,
    networks_folder,
    read_optimized,
)

_ERRORS_ONLY: Final = 3  # severity of log messages
_CPU: Final = "CPUExecutionProvider"
# Devices of the command line, without their number.
_PROVIDERS: Final = {
    "cpu": _CPU,
    "cuda": "CUDAExecutionProvider",
    "gpu": "CUDAExecutionProvider",
    "mps": "CoreMLExecutionProvider",
    "dml": "DmlExecutionProvider",
}

Images = npt.NDArray[np.float32]


class OnnxNetwork:
    """A network on ONNX Runtime.

    Args:
        content: The model as stored in a file, or what makes it if it is needed.
        device: auto, cpu, cuda, cuda:N, mps (CoreML) or dml (DirectML); auto uses CUDA if it is available.
        threads: Threads of the computation; None: `OMP_NUM_THREADS`, else one for each core that the process may use.
        kept_as: What identifies the model, to keep it on disk as it was optimised for this processor, for a faster
            start; None: it is not kept.

    Raises:
        BackendError: The device cannot be used.
    """

    runtime: Final = "onnx"

    def __init__(
        self,
        content: bytes | Callable[[], bytes],
        device: str = "cpu",
        threads: int | None = None,
        *,
        kept_as: str | None = None,
    ) -> None:
        self.device, provider = _provider(device)
        self._content = content
        self._providers = [provider] if provider == _CPU else [provider, _CPU]
        self._threads = threads or _usable_threads()
        self._kept_as = kept_as if provider == _CPU else None
        self._session, self._process = self._start(), os.getpid()

    def maps(self, images: Images, count: int = len(OUTPUTS)) -> list[npt.NDArray[np.float32]]:
        """The last `count` logit maps of images [slice, channel, height, width], float32, finest last."""
        if self._process != os.getpid():  # threads do not survive a fork
            _leave_undeleted(self._session)
            self._session, self._process = self._start(), os.getpid()
        found: list[Any] = self._session.run(OUTPUTS[:count], {INPUT: images})
        return found[::-1]

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata of the model."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def _start(self) -> Any:
        if self._kept_as is not None:
            with suppress(Exception):  # of ONNX Runtime's own types: it cannot read the file
                return self._kept_session(self._kept_as)
        content = self._content if isinstance(self._content, bytes) else self._content()
        if self._kept_as is not None:
            with suppress(Exception):  # the disk is full, or no folder is writable
                return self._optimized_session(content, self._kept_as)
        return self._session_of(content, self._options())

    def _kept_session(self, name: str) -> Any:
        """A session of the model as it was optimised before.

        Raises:
            LookupError: There is none.
        """
        optimized = read_optimized(name, onnxruntime.__version__)
        if optimized is None:
            raise LookupError
        options = self._options()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return self._session_of(optimized, options)

    def _optimized_session(self, content: bytes, name: str) -> Any:
        """A session whose optimised model is kept on disk."""
        place = networks_folder()
        place.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".rma-mamba-", dir=place) as folder:
            path = Path(folder) / "optimized.onnx"
            options = self._options()
            options.optimized_model_filepath = str(path)
            session = self._session_of(content, options)
            keep_optimized(name, onnxruntime.__version__, path.read_bytes())
        return session

    def _session_of(self, content: bytes, options: Any) -> Any:
        return onnxruntime.InferenceSession(content, options, self._providers)

    def _options(self) -> Any:
        options: Any = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = self._threads
        # batches of other sizes would each keep a block for all of their maps: 190 MiB more, and not faster
        options.enable_mem_pattern = False
        # states of a scan that fade to zero would be computed a hundred times as slowly
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        # between batches, threads that wait actively would take the cores from the threads that make slices
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        return options


def _leave_undeleted(session: Any) -> None:
    """Keep the session of the parent process until this one ends.

    Deleting it would wait for its threads, which do not exist here, and for ever if a new thread has taken the place of
    one of them.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))


def _provider(device: str) -> tuple[str, Any]:
    """The name of a device and its execution provider.

    Raises:
        BackendError: This build of ONNX Runtime does not support the device.
    """
    available = onnxruntime.get_available_providers()
    if device == "auto":
        device = "cuda" if _PROVIDERS["cuda"] in available else "cpu"
    kind, _, number = device.partition(":")
    usable = [name for name, provider in _PROVIDERS.items() if provider in available]
    if kind not in usable or not (number.isdecimal() or device == kind):
        raise BackendError(
            f"the device '{device}' cannot be used with ONNX Runtime; expected one of auto, {', '.join(usable)}. "
            "Choose one of these. For GPUs, install the extra 'torch' (pip install '.[torch]' from a clone) and use "
            "--runtime torch, or install a build of ONNX Runtime that supports yours."
        )
    provider = _PROVIDERS[kind]
    return device.replace("gpu", "cuda"), (provider, {"device_id": number}) if number else provider


def _usable_threads() -> int:
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1
