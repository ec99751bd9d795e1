"""Computational costs of networks: parameters, operations, and latency of a forward pass."""

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
    """Computational costs of one network.

    Args:
        parameters: Number of parameters, including those that the authors define but never use.
        gigamacs: Multiply-accumulate operations of convolutions and matrix multiplications in one forward
            pass, in 10^9; selective scans, norms and activations are not counted.
        latency_ms: Median duration of the forward pass of one image, in ms.
    """

    parameters: int
    gigamacs: float
    latency_ms: float


def measure_costs(
    models: Mapping[str, nn.Module], image_size: int, *, device: str = "cpu", rounds: int = _ROUNDS
) -> dict[str, Costs]:
    """Measure the costs of networks on one float32 image [1, 3, image_size, image_size].

    The networks run in turn in each round, so that disturbances of the machine affect all of them.

    Args:
        models: Networks by name.
        image_size: Height and width of the image, in pixels.
        device: Where the networks run.
        rounds: Number of timed passes per network, after one warm-up pass.
    """
    image = torch.rand(1, 3, image_size, image_size, device=device)
    prepared = {name: for_inference(model).to(device) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in prepared}
    with torch.inference_mode():
        operations = {name: _gigamacs(model, image) for name, model in prepared.items()}
        for _ in range(rounds):
            for name, model in prepared.items():
                seconds[name].append(_seconds(model, image))
    return {
        name: Costs(
            parameters=sum(each.numel() for each in models[name].parameters()),
            gigamacs=operations[name],
            latency_ms=1e3 * statistics.median(seconds[name]),
        )
        for name in models
    }


def _gigamacs(model: nn.Module, image: torch.Tensor) -> float:
    with FlopCounterMode(display=False) as counter:
        model(image)
    return float(counter.get_total_flops()) / 2e9


def _seconds(model: nn.Module, image: torch.Tensor) -> float:
    _synchronise(image)
    start = time.perf_counter()
    model(image)
    _synchronise(image)
    return time.perf_counter() - start


def _synchronise(image: torch.Tensor) -> None:
    if image.is_cuda:
        torch.cuda.synchronize()
