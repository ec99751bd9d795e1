"""The number of data loader processes that this machine supports. Batches are the same for any number."""

from __future__ import annotations

import multiprocessing
import shutil
import sys
import warnings
from pathlib import Path

import torch

from rma_mamba.errors import EnvironmentWarning

SHARED_MEMORY = Path("/dev/shm")  # through which processes pass tensors on Linux
_PREFETCHED = 2  # batches per worker, the default of DataLoader
_HELD = 3  # batches that the training loop holds (the current one and the next), and one that is being cropped


def usable_workers(requested: int, batch_bytes: int) -> int:
    """The requested number of workers, or as many as this machine supports, with a warning.

    Args:
        requested: `training.workers`.
        batch_bytes: Size of a batch, in bytes.
    """
    if requested == 0:
        return 0
    reason = _why_no_workers()
    usable = 0
    if not reason:
        usable, reason = min(requested, _fitting(batch_bytes)), "its shared memory is too small"
    if usable < requested:
        warnings.warn(
            f"{requested} data loader workers were requested, but this machine supports {usable}, because {reason}; "
            f"training continues with {usable}, and results are the same. To train faster, enlarge {SHARED_MEMORY} "
            f"(docker run --shm-size); to avoid this warning, set training.workers={usable}.",
            EnvironmentWarning,
            stacklevel=2,
        )
    return usable


def pins_memory(accelerator: str) -> bool:
    """Whether batches are put into page-locked memory, from which they are copied to a GPU in the background.

    Args:
        accelerator: `training.accelerator`.
    """
    return accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()


def _why_no_workers() -> str:
    """Why no worker can be started; "" if that is possible."""
    if multiprocessing.current_process().daemon:
        return "training runs in a process that may not start others"
    try:
        multiprocessing.get_context().Lock()
    except (ImportError, OSError):
        return "processes cannot share semaphores on it"
    return ""


def _fitting(batch_bytes: int) -> int:
    """How many workers' batches fit into shared memory; any number where it is not limited."""
    try:
        free = shutil.disk_usage(SHARED_MEMORY).free
    except OSError:  # not Linux
        return sys.maxsize
    return max(0, (free // max(1, batch_bytes) - _HELD) // _PREFETCHED)
