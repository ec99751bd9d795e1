"""One of the processes of a training run under torchrun: RECIPE SETTING...

It writes its weights to the run's folder.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rma_mamba.models.baselines.unet import UNet, UNetConfig
from rma_mamba.training import fitting, train


class IdleUNet(UNet):
    """A U-Net with a part that is never used, as some networks have."""

    unused_parameters = ("idle.weight", "idle.bias")

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.idle = nn.Linear(3, 3)


def fit_and_tell(*arguments: Any, fit: Any = fitting._fit) -> None:
    """Train, and leave what this process has learned."""
    fit(*arguments)
    trainer, module = arguments[:2]
    place = Path(trainer.default_root_dir) / f"rank{trainer.global_rank}.pt"
    torch.save({"devices": trainer.world_size, "state": module.state_dict()}, place)


if __name__ == "__main__":
    from rma_mamba.models import model_factory

    model_factory._BASELINES["unet"] = IdleUNet, UNetConfig
    fitting._fit = fit_and_tell
    train(sys.argv[1], sys.argv[2:], quiet=True)
