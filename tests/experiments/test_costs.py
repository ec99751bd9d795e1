"""Parameters, operations and latency of networks."""

from rma_mamba.experiments.costs import measure_costs
from rma_mamba.models import create_model


def test_costs_of_a_unet_are_counted() -> None:
    models = {"small": create_model("unet", width=4), "large": create_model("unet", width=8)}
    costs = measure_costs(models, 32, rounds=1)
    assert costs["small"].parameters == sum(each.numel() for each in models["small"].parameters())
    # operations grow with the square of the width, except in the first layer and the head
    assert 3.5 < costs["large"].gigamacs / costs["small"].gigamacs < 4
    assert costs["small"].latency_ms > 0
