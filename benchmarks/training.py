"""Time to load and augment slices, compared with the training step."""

from __future__ import annotations

from functools import partial

import torch
from measure import Report, milliseconds, table, time_interleaved
from networks import step
from torch.utils.data import default_collate

from rma_mamba.datasets.augmentation.device_batch import DeviceAugmentation
from rma_mamba.datasets.augmentation.transforms import training_transform
from rma_mamba.datasets.cases import phantom_cases
from rma_mamba.datasets.slices import SliceDataset, SliceDraw
from rma_mamba.models import create_model
from rma_mamba.training import load_recipe


def run(device: str = "cpu") -> Report:
    """Milliseconds per slice with the recipe of the bundled network, on synthetic abdomens."""
    recipe = load_recipe("default", ["data.phantoms.count=2"])
    data, batch = recipe.data, recipe.training.batch_size
    dataset = SliceDataset(
        phantom_cases(data),
        neighbours=data.recipe.neighbours,
        transform=training_transform(data.augment, data.crop),
        single_slice=data.augment.single_slice,
    )
    sides = [side for case in dataset.cases for side in case.images.shape[-2:]]
    raw = SliceDataset(
        dataset.cases,
        neighbours=data.recipe.neighbours,
        transform=None,
        raw_side=max(data.crop, *sides),
    )
    raw_batch = {
        name: each.to(device)
        for name, each in default_collate([raw[SliceDraw(n, (n,))] for n in range(batch)]).items()
    }
    on_device = DeviceAugmentation(data.augment, data.crop)
    plain = SliceDataset(dataset.cases, neighbours=data.recipe.neighbours, transform=dict)
    model = create_model(recipe.model.name, **recipe.model.settings).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    side = max(data.canvases, default=data.crop)
    images = torch.rand(batch, 3, side, side, device=device)
    works = {
        "read a slice": lambda: [plain[number] for number in range(batch)],
        "read and augment it": lambda: [dataset[number] for number in range(batch)],
        "read it to augment it on the device": lambda: [raw[number] for number in range(batch)],
        f"augment the batch on the device ({device})": lambda: on_device(raw_batch),
        f"training step, bfloat16, {side} x {side}": partial(
            step, model, optimizer, images, torch.bfloat16
        ),
    }
    times = time_interleaved(works, device=device)
    rows = [
        [name, milliseconds(timing), f"{1e3 * timing.best / batch:.2f}"]
        for name, timing in times.items()
    ]
    return Report(table([f"{batch} slices", "ms", "ms per slice"], rows))
