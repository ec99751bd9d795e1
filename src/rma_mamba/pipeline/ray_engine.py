"""A cohort over the workers of a Ray cluster: a worker that dies costs its case another try, no more.

Input, output and weights must lie at the same paths on all machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rma_mamba.errors import BackendError
from rma_mamba.extras import require_extra
from rma_mamba.files import remove_unfinished
from rma_mamba.pipeline.case import Finished
from rma_mamba.pipeline.cohort import Failure, Outcome, try_case
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.messages import Messages, ignore_progress
from rma_mamba.pipeline.request import Request
from rma_mamba.pipeline.signals import preserve_sigterm_handler

TRIES = 3  # a case whose worker died so often is what kills them


class Worker:
    """A process with the network in memory."""

    def __init__(self, out: Path, request: Request) -> None:
        self._out, self._request = out, request
        self._segmenter = request.network.load()

    def ready(self) -> bool:
        """True once the network is there."""
        return True

    def segment(self, case: Case) -> Finished | Failure:
        """One case."""
        return try_case(case, self._out, self._request, lambda: self._segmenter, ignore_progress)


def over_ray(
    cases: list[Case], out: Path, request: Request, messages: Messages
) -> Iterator[Outcome]:
    """The cases over all workers of the cluster that RAY_ADDRESS names, else over this machine.

    Each worker takes one GPU if the cluster has any, else one CPU.

    Raises:
        BackendError: Ray is not installed.
        WeightsError, BackendError: The network cannot run.
    """
    ray = _imported()
    if not ray.is_initialized():
        with preserve_sigterm_handler():
            ray.init(log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    try:
        with messages.progress("Cases") as progress:
            for number, outcome in enumerate(_spread(ray, cases, out.resolve(), request), 1):
                progress(number, len(cases))
                yield outcome
    finally:
        ray.shutdown()
        for case in cases:  # of workers that were stopped in the middle
            remove_unfinished(out / case.name)


def _spread(ray: Any, cases: list[Case], out: Path, request: Request) -> Iterator[Outcome]:
    waiting = [(replace(case, scan=case.scan.resolve()), 1) for case in reversed(cases)]
    make, count = _workers(ray, out, request)
    idle = [make() for _ in range(min(len(cases), count))]
    _raise_if_none_can_run(ray, idle)
    running: dict[Any, tuple[Any, Case, int]] = {}
    while waiting or running:
        while idle and waiting:
            worker, (case, tries) = idle.pop(), waiting.pop()
            running[worker.segment.remote(case)] = worker, case, tries
        done, _ = ray.wait(list(running), num_returns=1)
        worker, case, tries = running.pop(done[0])
        try:
            outcome: Finished | Failure = ray.get(done[0])
        except ray.exceptions.RayError:  # the worker died, or its machine
            idle.append(make())
            if tries < TRIES:
                waiting.append((case, tries + 1))
                continue
            outcome = Failure.of(case, _killed())
        else:
            idle.append(worker)
        yield case, outcome


def _raise_if_none_can_run(ray: Any, workers: list[Any]) -> None:
    try:
        ray.get([worker.ready.remote() for worker in workers])
    except ray.exceptions.RayActorError as error:
        cause = getattr(error, "cause", None) or error.__cause__
        raise (cause if isinstance(cause, Exception) else error) from None


def _workers(ray: Any, out: Path, request: Request) -> tuple[Callable[[], Any], int]:
    """What makes a worker, and how many of them the cluster holds."""
    found = ray.cluster_resources()
    gpus = int(found.get("GPU", 0)) if request.network.device != "cpu" else 0
    remote = ray.remote(num_gpus=1)(Worker) if gpus else ray.remote(num_cpus=1)(Worker)
    return lambda: remote.remote(out, request), max(1, gpus or int(found.get("CPU", 1)))


def _killed() -> BackendError:
    return BackendError(
        f"the worker of this case was killed {TRIES} times; expected one that lives. "
        "Give workers more memory, or segment the case alone."
    )


def _imported() -> Any:
    return require_extra("ray", "ray", "the engine 'ray'")
