"""Train the bundled network from a pack, with slices and augmentation on the GPU."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from device_augmentation import augmented
from packing import PackedCase, decode
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rma_mamba.models import create_model
from rma_mamba.models.weights import encode_checkpoint, read_checkpoint
from rma_mamba.slicing.intensity_scale import compress_highlights
from rma_mamba.slicing.recipe import SliceRecipe
from rma_mamba.training.losses import segmentation_loss

STACKS, DEPTH = 8, 16  # slices of a step: their product
FOREGROUND_SHARE = 0.6
HU_SHARE = 0.7
VALIDATIONS = 6
_VALIDATION_DEPTH = 32
_THRESHOLD_LOGIT = 0.0


@dataclass
class Slices:
    """All slices of some cases on the device.

    Args:
        images: uint8 [slice, height, width].
        labels: uint8, same shape.
        first: Position of the first slice of each case.
        cases: The cases.
    """

    images: Tensor
    labels: Tensor
    first: list[int]
    cases: list[PackedCase]

    @classmethod
    def of(cls, cases: list[PackedCase], device: str) -> Slices:
        """Copy cases to the device."""
        first = [0]
        for case in cases:
            first.append(first[-1] + len(case.images))
        images = torch.cat([torch.from_numpy(case.images) for case in cases])
        labels = torch.cat([torch.from_numpy(case.labels) for case in cases])
        return cls(images.to(device), labels.to(device), first, cases)


def train_pack(
    pack: Path, output: Path, device: str, seconds: float, *, quick: bool = False
) -> dict[str, Any]:
    """Train for a given time and write the best weights.

    Args:
        pack: Folder written by `packing.write_pack`.
        output: Folder of weights.safetensors.
        device: Device of slices, augmentation and network.
        seconds: Time limit, of data transfer and validation as well.
        quick: Small stacks.

    Returns:
        Steps, loss and Dice of each validation, and the SHA-256 of the initial weights.
    """
    started = time.monotonic()
    cases = decode((pack / "cases.zip").read_bytes())
    train = Slices.of([case for case in cases if not case.validation], device)
    validation = Slices.of([case for case in cases if case.validation], device)
    initial = read_checkpoint(pack / "initial.safetensors")
    settings = json.loads((pack / "recipe.json").read_text())
    recipe = SliceRecipe.model_validate(initial.recipe)
    model = create_model(initial.model, **initial.settings)
    model.load_state_dict(initial.state)
    model.to(device)
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.998), use_buffers=True)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.02)
    peak = settings["training"]["lr"]
    stacks, depth = (2, 4) if quick else (STACKS, DEPTH)
    history = [{"step": 0, "seconds": 0.0, **_validate(model, validation, recipe, device)}]
    best, best_state = history[0]["dice"], initial.state
    losses: list[Tensor] = []
    due = [seconds * (n + 1) / VALIDATIONS for n in range(VALIDATIONS)]
    while due:
        passed = time.monotonic() - started
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(peak, passed / seconds, len(losses))
        losses.append(_step(model, optimizer, train, recipe, (stacks, depth), device))
        averaged.update_parameters(model)
        if time.monotonic() - started >= due[0]:
            due.pop(0)
            found = _validate(averaged.module, validation, recipe, device)
            recent = float(torch.stack(losses[-200:]).mean())
            entry = {"step": len(losses), "seconds": round(time.monotonic() - started, 1)}
            history.append(entry | {"loss": recent} | found)
            if found["dice"] > best:
                best = found["dice"]
                best_state = {k: v.cpu().clone() for k, v in averaged.module.state_dict().items()}
    content = encode_checkpoint(
        best_state,
        model=initial.model,
        settings=initial.settings,
        recipe=initial.recipe,
        dtype=torch.float16,
        provenance={"initial weights": initial.sha256, "steps": len(losses)},
    )
    (output / "weights.safetensors").write_bytes(content)
    return {"initial weights": initial.sha256, "best dice": best, "history": history}


def _learning_rate(peak: float, progress: float, step: int) -> float:
    """Linear warm-up over 100 steps, then a cosine over the time."""
    return peak * min(1.0, (step + 1) / 100) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    train: Slices,
    recipe: SliceRecipe,
    size: tuple[int, int],
    device: str,
) -> Tensor:
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
    images, labels, hounsfield = _draw(train, recipe, size)
    images, labels = augmented(images, labels, hounsfield)
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device.split(":")[0], torch.bfloat16):
        maps = model(with_channels(images, hounsfield, recipe))
    loss = segmentation_loss(maps, labels.flatten(0, 1)[:, None], per_slice=0.5)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.detach()


def _draw(
    train: Slices, recipe: SliceRecipe, size: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Stacks [stack, slice, height, width] in [0, 1], their labels, and whether each is in Hounsfield units.

    A batch has stacks of cases whose slices are in order, or as many single slices of the others.
    """
    stacks, depth = size
    weights = torch.tensor([case.weight for case in train.cases])
    stacked = torch.tensor([_in_order(case) for case in train.cases])
    if float(torch.rand(())) >= float(weights[stacked].sum() / weights.sum()):
        stacks, depth, stacked = stacks * depth, 1, ~stacked
    numbers = torch.multinomial(weights * stacked, stacks, replacement=True).tolist()
    cases = [train.cases[number] for number in numbers]
    positions = [
        train.first[number] + _numbers(case, depth, recipe)
        for number, case in zip(numbers, cases, strict=True)
    ]
    index = torch.stack(positions).to(train.images.device)
    images = train.images[index].float() / 255
    calibrated = torch.tensor([case.hounsfield for case in cases], device=images.device)
    hounsfield = calibrated & (torch.rand(stacks, device=images.device) < HU_SHARE)
    unknown = calibrated & ~hounsfield  # as a CT that is scaled by percentiles
    images[unknown] = compress_highlights(images[unknown], recipe.mr_headroom)
    return images, train.labels[index].float(), hounsfield


def _in_order(case: PackedCase) -> bool:
    return case.ordered or case.gap_mm is not None


def _numbers(case: PackedCase, depth: int, recipe: SliceRecipe) -> Tensor:
    """Slices of a stack."""
    count = len(case.images)
    step = 1
    if case.gap_mm and depth > 1:
        wanted = (recipe.through_plane_mm or case.gap_mm) * (0.7 + 0.9 * float(torch.rand(())))
        step = max(1, min(round(wanted / case.gap_mm), (count - 1) // (depth - 1)))
    extent = (depth - 1) * step + 1
    last = max(0, count - extent)
    start = int(torch.randint(last + 1, ()))
    with_liver = torch.from_numpy(case.labels.any(axis=(1, 2))).nonzero().flatten()
    if len(with_liver) and float(torch.rand(())) < FOREGROUND_SHARE:
        middle = int(with_liver[torch.randint(len(with_liver), ())])
        start = min(max(0, middle - int(torch.randint(extent, ()))), last)
    return (start + step * torch.arange(depth)).clamp(max=count - 1)


def with_channels(images: Tensor, hounsfield: Tensor, recipe: SliceRecipe) -> Tensor:
    """Network input [stack, slice, channel, height, width]: neighbouring slices and the modality plane."""
    slices = torch.arange(images.shape[1], device=images.device)
    around = slices[:, None] + torch.arange(-1, 2, device=images.device) * int(recipe.neighbours)
    channels = images[:, around.clamp(0, len(slices) - 1)]
    if not recipe.modality_plane:
        return channels
    plane = hounsfield.float()[:, None, None, None, None].expand_as(channels[:, :, :1])
    return torch.cat([channels, plane], 2)


@torch.inference_mode()
def _validate(
    model: nn.Module, validation: Slices, recipe: SliceRecipe, device: str
) -> dict[str, Any]:
    """Mean and worst Dice of the patients."""
    model.eval()
    sums: dict[str, Tensor] = {}
    for case, images, labels in _validation_stacks(validation):
        hounsfield = torch.tensor([case.hounsfield], device=device)
        with torch.autocast(device.split(":")[0], torch.bfloat16):
            logits = model(with_channels(images[None].float() / 255, hounsfield, recipe))[-1]
        found, true = logits[:, 0] > _THRESHOLD_LOGIT, labels > 0
        counts = torch.stack([(found & true).sum(), found.sum() + true.sum()]).double().cpu()
        key = f"{case.source} {case.patient}"
        sums[key] = sums.get(key, torch.zeros(2, dtype=torch.float64)) + counts
    dice = {key: float(2 * both / max(total, 1)) for key, (both, total) in sums.items()}
    mean = sum(dice.values()) / max(len(dice), 1)
    return {"dice": mean, "worst": min(dice.values(), default=math.nan), "patients": dice}


def _validation_stacks(validation: Slices) -> Iterator[tuple[PackedCase, Tensor, Tensor]]:
    for number, case in enumerate(validation.cases):
        first, last = validation.first[number], validation.first[number + 1]
        depth = _VALIDATION_DEPTH if _in_order(case) else 1
        for start in range(first, last, depth):
            part = slice(start, min(start + depth, last))
            yield case, validation.images[part], validation.labels[part]
