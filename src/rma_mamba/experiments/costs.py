"""What a network costs: parameters, operations, and the time of a forward pass beside the others'."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rma_mamba.models import for_inference

_ROUNDS = 5


@dataclass(frozen=True)
class Costs:
    """Of one network.

    Args:
        parameters: All of them, also those that its authors build and never use.
        gigamacs: Multiply-adds of convolutions and matrix products in one forward pass, in 10^9; scans, norms
            and activations are not counted.
        latency_ms: Median of a forward pass of one image.
    """

    parameters: int
    gigamacs: float
    latency_ms: float


def measure_costs(
    models: Mapping[str, nn.Module], side: int, *, device: str = "cpu", rounds: int = _ROUNDS
) -> dict[str, Costs]:
    """Costs of networks on one image [1, 3, side, side], float32.

    They run in turn, round by round, so that whatever disturbs the machine disturbs all of them.

    Args:
        models: By name.
        side: Of the image, in pixels.
        device: Where they run.
        rounds: Passes of each that count; one before them does not.
    """
    image = torch.rand(1, 3, side, side, device=device)
    ready = {name: for_inference(model).to(device) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ready}
    with torch.inference_mode():
        operations = {name: _gigamacs(model, image) for name, model in ready.items()}
        for _ in range(rounds):
            for name, model in ready.items():
                seconds[name].append(_seconds(model, image))
    return {
        name: Costs(
            sum(each.numel() for each in models[name].parameters()),
            operations[name],
            1e3 * statistics.median(seconds[name]),
        )
        for name in models
    }


def _gigamacs(model: nn.Module, image: torch.Tensor) -> float:
    with FlopCounterMode(display=False) as counter:
        model(image)
    return float(counter.get_total_flops()) / 2e9


def _seconds(model: nn.Module, image: torch.Tensor) -> float:
    _wait(image)
    start = time.perf_counter()
    model(image)
    _wait(image)
    return time.perf_counter() - start


def _wait(image: torch.Tensor) -> None:
    if image.is_cuda:
        torch.cuda.synchronize()
