"""Parameters, operations and latency of networks."""

import pytest
import torch

from rma_mamba.experiments.costs import gigamacs, measure_costs
from rma_mamba.models import create_model


def test_costs_of_a_unet_are_counted() -> None:
    models = {"small": create_model("unet", width=4), "large": create_model("unet", width=8)}
    costs = measure_costs(models, 32, rounds=1)
    assert costs["small"].parameters == sum(each.numel() for each in models["small"].parameters())
    # operations grow with the square of the width, except in the first layer and the head
    assert 3.5 < costs["large"].gigamacs / costs["small"].gigamacs < 4
    assert costs["small"].latency_ms > 0


def test_the_step_sizes_of_selective_scans_are_counted() -> None:
    model = create_model("rma-mamba-t")
    assert gigamacs(model, torch.zeros(1, 3, 256, 256)) == pytest.approx(6.437, abs=5e-4)


def test_operations_do_not_depend_on_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    model = create_model("rma-mamba-n", width=8, depths=(1, 1, 1, 1), decoder_width=8)
    found = []
    for backend in ("numba", "reference"):
        monkeypatch.setenv("RMA_MAMBA_BACKEND", backend)
        found.append(measure_costs({"n": model}, 32, rounds=1)["n"].gigamacs)
    assert found[0] == found[1] > 0


def test_costs_are_measured_with_the_channels_of_the_network() -> None:
    model = create_model("rma-mamba-z", width=8, depths=(1, 1, 1, 1), decoder_width=8)
    assert measure_costs({"z": model}, 32, channels={"z": 4}, rounds=1)["z"].latency_ms > 0
