"""Distributed training does not wait for the gradients of parameters that a network says are unused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from rma_mamba.models import create_model
from rma_mamba.training.config import TrainingConfig
from rma_mamba.training.module import SegmentationModule


class Forward(SegmentationModule):
    """As Lightning runs it: through the module that is distributed."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([each.square().mean() for each in self.model(images)]).sum()


class Ignorant(Forward):
    _ddp_params_and_buffers_to_ignore: list[str] = []  # noqa: RUF012


# a matter of speed, for any network with 1x1 convolutions whose maps have the channels last
pytestmark = pytest.mark.filterwarnings("ignore:Grad strides do not match bucket view strides")


@pytest.fixture(scope="module")
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    store: Path = tmp_path_factory.mktemp("store") / "store"
    distributed.init_process_group("gloo", f"file://{store}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def train_twice(kind: type[Forward]) -> nn.Module:
    settings = {"width": 4, "hidden": 8, "encoder_width": 4, "encoder_depths": (1, 1, 1, 1)}
    model = create_model("transnetr", **settings)
    replica = DistributedDataParallel(kind(model, TrainingConfig()))
    for _ in range(2):
        replica(torch.rand(2, 3, 32, 32)).backward()
    return model


@pytest.mark.usefixtures("_alone")
def test_steps_follow_each_other_and_only_the_unused_layer_has_no_gradient() -> None:
    model = train_twice(Forward)
    untrained = {n.split(".")[1] for n, each in model.named_parameters() if each.grad is None}
    assert untrained == {"layer4"}


@pytest.mark.usefixtures("_alone")
def test_without_the_names_the_second_step_fails() -> None:
    with pytest.raises(RuntimeError, match="finished reduction"):
        train_twice(Ignorant)
