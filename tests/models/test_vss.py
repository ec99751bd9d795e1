"""VSS blocks with gradient checkpointing give the same gradients."""

import pytest
import torch

from rma_mamba.models import create_model
from rma_mamba.models.vss import VSSBlock
from tiny import SETTINGS


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradient_checkpointing_gives_bit_identical_gradients_with_less_memory(
    dtype: torch.dtype,
) -> None:
    images = torch.rand(2, 3, 64, 64)
    only_blocks = {"local_blocks": (0, 0, 0), "decoder_local": 0}
    settings = {**SETTINGS, **only_blocks, "drop_path": 0.4, "decoder_drop_path": 0.4}
    gradients = []
    for gradient_checkpointing in (False, True):
        torch.manual_seed(1)
        model = create_model("rma-mamba-n", **settings)
        blocks = [each for each in model.modules() if isinstance(each, VSSBlock)]
        assert blocks
        for block in blocks:
            block.gradient_checkpointing = gradient_checkpointing
        kept: list[int] = []
        with (
            torch.autograd.graph.saved_tensors_hooks(
                lambda x, kept=kept: kept.append(x.numel()) or x, lambda x: x
            ),
            torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16),
        ):
            loss = sum(logits.square().mean() for logits in model(images))
        loss.backward()
        gradients.append(([each.grad for each in model.parameters()], sum(kept)))
    (plain, much), (again, little) = gradients
    assert all(torch.equal(one, other) for one, other in zip(plain, again, strict=True))
    assert any(each.abs().max() > 0 for each in plain)
    assert little < 0.7 * much
