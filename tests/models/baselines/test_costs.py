"""GMACs of each network for one 256x256 image, as measured on the authors' code."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rma_mamba.models import create_model
from rma_mamba.models.baselines.pvtformer import PVTFormer

# With attention over the batch, as released: over the tokens it costs more.
MEASURED_GMACS = {
    "unet": 48.167,
    "unext": 0.562,
    "transnetr": 10.510,
    "transresunet": 23.959,
    "double-unet": 53.687,
    "resunet-plus-plus": 15.669,
}
GMACS_OVER_TOKENS = {"transnetr": 11.852, "transresunet": 24.026}


def gmacs(network: nn.Module, x: torch.Tensor) -> float:
    with FlopCounterMode(display=False) as counter:
        network.eval()(x)
    return counter.get_total_flops() / 2e9


@pytest.fixture(autouse=True)
def _nothing_is_computed() -> object:
    with torch.device("meta"):
        yield


@pytest.mark.parametrize("name", list(MEASURED_GMACS))
def test_a_network_has_the_cost_of_the_released_one(name: str) -> None:
    settings = {"attention_over": "batch"} if name in GMACS_OVER_TOKENS else {}
    cost = gmacs(create_model(name, **settings), torch.rand(1, 3, 256, 256))
    assert cost == pytest.approx(MEASURED_GMACS[name], rel=1e-3)


@pytest.mark.parametrize("name", list(GMACS_OVER_TOKENS))
def test_attention_over_tokens_has_the_stated_cost(name: str) -> None:
    cost = gmacs(create_model(name), torch.rand(1, 3, 256, 256))
    assert cost == pytest.approx(GMACS_OVER_TOKENS[name], rel=1e-3)


def test_pvtformer_has_the_cost_of_the_released_one_without_the_unused_stage() -> None:
    network = create_model("pvtformer")
    assert isinstance(network, PVTFormer)
    cost = gmacs(network, torch.rand(1, 3, 256, 256))
    assert cost == pytest.approx(42.577, rel=1e-3)
    unread = gmacs(network.encoder.stages[3], torch.rand(1, 320, 16, 16))
    assert cost + unread == pytest.approx(43.292, rel=1e-3)
