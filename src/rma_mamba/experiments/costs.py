"""Computational costs of networks: parameters, operations, and latency of a forward pass."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from rma_mamba.models import for_inference

_ROUNDS = 5
_CROSS_SCAN = torch.ops.rma_mamba.cross_scan


@dataclass(frozen=True)
class Costs:
    """Computational costs of one network.

    Args:
        parameters: Number of parameters, including those that the authors define but never use.
        gigamacs: Multiply-accumulate operations of convolutions and matrix multiplications in one forward
            pass, in 10^9, including those that compute the step sizes of selective scans; the scans themselves, norms
            and activations are not counted.
        latency_ms: Median duration of the forward pass of one image, in ms.
    """

    parameters: int
    gigamacs: float
    latency_ms: float


def measure_costs(
    models: Mapping[str, nn.Module],
    image_size: int,
    *,
    channels: Mapping[str, int] | None = None,
    device: str = "cpu",
    rounds: int = _ROUNDS,
) -> dict[str, Costs]:
    """Measure the costs of networks on one float32 image [1, channel, image_size, image_size].

    The networks run in turn in each round, so that disturbances of the machine affect all of them.

    Args:
        models: Networks by name.
        image_size: Height and width of the image, in pixels.
        channels: Number of input channels of each network; 3 for those that are not named.
        device: Where the networks run.
        rounds: Number of timed passes per network, after one warm-up pass.
    """
    images = {
        name: torch.rand(1, (channels or {}).get(name, 3), image_size, image_size, device=device)
        for name in models
    }
    prepared = {name: for_inference(model).to(device) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in prepared}
    with torch.inference_mode():
        operations = {name: gigamacs(model, images[name]) for name, model in models.items()}
        for name, model in prepared.items():
            model(images[name])
        for _ in range(rounds):
            for name, model in prepared.items():
                seconds[name].append(_seconds(model, images[name]))
    return {
        name: Costs(
            parameters=sum(each.numel() for each in models[name].parameters()),
            gigamacs=operations[name],
            latency_ms=1e3 * statistics.median(seconds[name]),
        )
        for name in models
    }


def gigamacs(model: nn.Module, image: torch.Tensor) -> float:
    """Operations of a network for an image, as `Costs.gigamacs`; the same on every device and with every backend.

    The network as trained is counted with fake tensors, for which a selective scan is an operator that can be seen.
    """
    counter = FlopCounterMode(display=False, custom_mapping={_CROSS_SCAN: _step_flops})
    counted = copy.deepcopy(model).eval()
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True) as fake, counter:
        counted(fake.from_tensor(image))
    return float(counter.get_total_flops()) / 2e9


def _step_flops(u: Any, gates: Any, delta_weight: Any, *_: Any, **__: Any) -> int:
    """Operations of the matrix product that gives the step sizes, which is inside a cross scan."""
    batch, height, width, _channels = u
    directions, channels, rank = delta_weight
    return int(2 * batch * height * width * directions * channels * rank)


def _seconds(model: nn.Module, image: torch.Tensor) -> float:
    _synchronise(image)
    start = time.perf_counter()
    model(image)
    _synchronise(image)
    return time.perf_counter() - start


def _synchronise(image: torch.Tensor) -> None:
    if image.is_cuda:
        torch.cuda.synchronize()
