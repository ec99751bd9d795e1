"""Run a cohort on the workers of a Ray cluster. A case whose worker dies is tried again.

Input, output and weights must be at the same paths on all machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rma_mamba.errors import BackendError
from rma_mamba.extras import require_extra
from rma_mamba.files import remove_unfinished
from rma_mamba.pipeline.case import CompletedCase
from rma_mamba.pipeline.cohort import CaseOutcome, FailedCase, try_case
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.messages import Messages
from rma_mamba.pipeline.request import SegmentRequest
from rma_mamba.pipeline.signals import preserve_sigterm_handler

MAX_TRIES = 3  # a case that kills this many workers fails


class Worker:
    """A process with the network in memory."""

    def __init__(self, out: Path, request: SegmentRequest) -> None:
        self._out, self._request = out, request
        self._segmenter = request.network.load()

    def ready(self) -> bool:
        """True as soon as the network is loaded."""
        return True

    def segment(self, case: Case) -> CompletedCase | FailedCase:
        """Segment one case."""
        return try_case(case, self._out, self._request, self._segmenter)


def run_on_ray(
    cases: list[Case], out: Path, request: SegmentRequest, messages: Messages
) -> Iterator[CaseOutcome]:
    """Segment the cases on all workers of the cluster at RAY_ADDRESS; without one, on this machine.

    Each worker uses one GPU if the cluster has GPUs, else one CPU.

    Raises:
        BackendError: Ray is not installed.
        WeightsError, BackendError: The network cannot run.
    """
    ray = _import_ray()
    if not ray.is_initialized():
        with preserve_sigterm_handler():
            ray.init(log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    try:
        with messages.progress("Cases") as progress:
            for number, outcome in enumerate(_schedule(ray, cases, out.resolve(), request), 1):
                progress(number, len(cases))
                yield outcome
    finally:
        ray.shutdown()
        for case in cases:  # workers may have been stopped while they wrote
            remove_unfinished(out / case.name)


def _schedule(
    ray: Any, cases: list[Case], out: Path, request: SegmentRequest
) -> Iterator[CaseOutcome]:
    waiting = [(replace(case, scan=case.scan.resolve()), 1) for case in reversed(cases)]
    start_worker, count = _workers(ray, out, request)
    idle = [start_worker() for _ in range(min(len(cases), count))]
    _raise_if_no_worker_starts(ray, idle)
    running: dict[Any, tuple[Any, Case, int]] = {}
    while waiting or running:
        while idle and waiting:
            worker, (case, tries) = idle.pop(), waiting.pop()
            running[worker.segment.remote(case)] = worker, case, tries
        done, _ = ray.wait(list(running), num_returns=1)
        worker, case, tries = running.pop(done[0])
        try:
            outcome: CompletedCase | FailedCase = ray.get(done[0])
        except ray.exceptions.RayError:  # the worker or its machine died
            idle.append(start_worker())
            if tries < MAX_TRIES:
                waiting.append((case, tries + 1))
                continue
            outcome = FailedCase.from_error(case, _worker_died())
        else:
            idle.append(worker)
        yield case, outcome


def _raise_if_no_worker_starts(ray: Any, workers: list[Any]) -> None:
    try:
        ray.get([worker.ready.remote() for worker in workers])
    except ray.exceptions.RayActorError as error:
        cause = getattr(error, "cause", None) or error.__cause__
        raise (cause if isinstance(cause, Exception) else error) from None


def _workers(ray: Any, out: Path, request: SegmentRequest) -> tuple[Callable[[], Any], int]:
    """A function that starts a worker, and the number of workers that the cluster can hold."""
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0)) if request.network.device != "cpu" else 0
    remote = ray.remote(num_gpus=1)(Worker) if gpus else ray.remote(num_cpus=1)(Worker)
    return lambda: remote.remote(out, request), max(1, gpus or int(resources.get("CPU", 1)))


def _worker_died() -> BackendError:
    return BackendError(
        f"the worker of this case died {MAX_TRIES} times; expected it to finish. "
        "Give the workers more memory, or segment this case alone."
    )


def _import_ray() -> Any:
    return require_extra("ray", "ray", "the engine 'ray'")
