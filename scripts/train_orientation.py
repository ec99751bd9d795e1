"""Train and evaluate the network that detects flipped axes of a scan.

    python scripts/train_orientation.py render FOLDER thumbnails.safetensors   # about 3 minutes on two cores
    python scripts/train_orientation.py train thumbnails.safetensors           # about 6 minutes on one core
    python scripts/train_orientation.py evaluate FOLDER val                    # or test

FOLDER contains the public data listed in the model card. Only training patients are rendered, without the slices that
their publisher mirrored at random. Slices are augmented as in the training of the segmentation network before they are
reduced to thumbnails. `train` writes the weights that are bundled with the package.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

import rma_mamba
from rma_mamba.datasets.augmentation.transforms import training_transform
from rma_mamba.datasets.cases import read_cases
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.labelled_images import read_slice, read_volume
from rma_mamba.datasets.slices import SliceDataset, SliceDraw
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import Split
from rma_mamba.files import replace_file
from rma_mamba.inference.orientation import Pose, check_anatomy, estimate_pose, flipped_axes
from rma_mamba.inference.orientation_network import NAME, OUTPUTS
from rma_mamba.inference.thumbnails import COARSE, SIDE, Box, body_box, crop
from rma_mamba.models.weights import encode_checkpoint
from rma_mamba.reporting.quality import FlippedAxis
from rma_mamba.reporting.quality_thresholds import THRESHOLDS
from rma_mamba.slicing import SliceStack
from rma_mamba.training import load_recipe
from rma_mamba.volume import Geometry, Volume

SEED = 42
PAIRS = 14_000  # of two slices of the same patient
AUGMENTATION = {
    "tissue_contrast": 0.35,
    "inversion": 0.15,
    "single_slice": 1.0,
    "scale": (0.8, 1.25),
}
JITTER = 0.07  # of the height and width of the box
EPOCHS, BATCH, RATE = 24, 256, 4e-3
PARTS = (
    ("whole", 0, 1),
    ("half, lower", 0, 1 / 2),
    ("half, middle", 1 / 4, 3 / 4),
    ("half, upper", 1 / 2, 1),
    ("third, lower", 0, 1 / 3),
    ("third, middle", 1 / 3, 2 / 3),
    ("third, upper", 2 / 3, 1),
)
SPACING_FACTORS = (1, 0.25, 1 / 3, 0.5, 2, 3, 4)
FLIPS: tuple[tuple[FlippedAxis, ...], ...] = (
    (),
    ("left/right",),
    ("anterior/posterior",),
    ("left/right", "anterior/posterior"),
    ("superior/inferior",),
    ("left/right", "superior/inferior"),
)
CLEAR_LIVER = 40  # pixels of 4 mm; slices with fewer, but more than none, are not used to train the liver output


def training_data(root: str) -> DataConfig:
    """The data of the default recipe at coarse resolution, without randomly mirrored slices."""
    data = load_recipe("default", [f"data.root={root}"]).data
    return data.model_copy(
        update={
            "sources": tuple(each for each in data.sources if not each.mirrored_at_random),
            "recipe": COARSE,
            "augment": data.augment.model_copy(update=AUGMENTATION),
        }
    )


class Thumbnails(Dataset[dict[str, Any]]):
    """Augmented thumbnails in pairs from the same patient; deterministic for any number of workers."""

    def __init__(self, data: DataConfig) -> None:
        cases = read_cases(data, "train")
        self.slices = SliceDataset(
            cases,
            neighbours=True,
            transform=training_transform(data.augment, COARSE.size),
            single_slice=1.0,
        )
        positions: dict[int, list[int]] = {}
        for position, (case, _) in enumerate(self.slices.index):
            positions.setdefault(id(case), []).append(position)
        self.positions = [positions[id(case)] for case in cases]
        weights = np.array([len(case.images) ** 0.5 * case.weight for case in cases])
        self.chances = weights / weights.sum()

    def __len__(self) -> int:
        return 2 * PAIRS

    def __getitem__(self, item: int) -> dict[str, Any]:
        pair, which = divmod(item, 2)
        random = np.random.default_rng((SEED, pair))
        positions = self.positions[random.choice(len(self.positions), p=self.chances)]
        position = int(random.choice(positions, 2)[which])
        case, number = self.slices.index[position]
        sample = self.slices[SliceDraw(position, (SEED, item))]
        grey = sample["image"][1].numpy()
        box = body_box(grey)
        thumbnail = np.zeros((SIDE, SIDE), np.float32)
        if box is not None:
            thumbnail = crop(
                grey, _jittered(box, grey.shape, np.random.default_rng((SEED, item, 1)))
            )
        height = math.nan if case.gap_mm is None else number * case.gap_mm / 100
        return {"thumbnail": thumbnail, "height": height, "liver": sample["label"].sum().item()}


def _jittered(box: Box, shape: tuple[int, ...], random: np.random.Generator) -> Box:
    top, bottom, left, right = box
    tall, wide = (bottom - top) * JITTER, (right - left) * JITTER
    moves = random.uniform(-1, 1, 4) * (tall, tall, wide, wide)
    top, bottom, left, right = np.rint(box + moves).astype(int).tolist()
    return max(0, top), min(shape[0], bottom), max(0, left), min(shape[1], right)


def render(root: str, out: str) -> None:
    """Write all thumbnails for training."""
    loader = DataLoader(Thumbnails(training_data(root)), batch_size=256, num_workers=2)
    parts = list(loader)
    arrays = {name: torch.cat([part[name] for part in parts]).numpy() for name in parts[0]}
    save_file({name: values.astype(np.float32) for name, values in arrays.items()}, out)


def train(rendered: str) -> None:
    """Train the network and write the weights that are bundled with the package."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    known = {name: torch.from_numpy(values) for name, values in load_file(rendered).items()}
    pairs = {name: values.reshape(PAIRS, 2, *values.shape[1:]) for name, values in known.items()}
    network = OrientationNetwork()
    print(sum(each.numel() for each in network.parameters()), "parameters")
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.05)
    steps = EPOCHS * (PAIRS * 2 // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    losses: list[float] = []
    for step, chosen in enumerate(_batches(steps)):
        loss = _loss(
            network, {name: values[chosen].flatten(0, 1) for name, values in pairs.items()}
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if (step + 1) % 200 == 0:
            print(step + 1, round(float(np.mean(losses[-200:])), 4), flush=True)
    content = encode_checkpoint(
        network.state_dict(), model=NAME, settings={}, recipe={}, dtype=torch.float16
    )
    path = Path(rma_mamba.__file__).parent / "weights" / f"{NAME}.safetensors"
    replace_file(path, content, "weights")


def _batches(steps: int) -> Iterator[torch.Tensor]:
    random = torch.Generator().manual_seed(SEED)
    size = BATCH // 2
    while True:
        for chosen in torch.randperm(PAIRS, generator=random).split(size):
            if len(chosen) == size:
                yield chosen
                steps -= 1
                if not steps:
                    return


class OrientationNetwork(nn.Module):
    """The network of `rma_mamba.inference.orientation_network`, which computes the same without torch."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_step(1, 16, 5, 2), *_step(16, 24, 3, 2), *_step(24, 32, 3, 1), *_step(32, 48, 3, 2)
        )
        self.answers = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(48 * 9, 32),
            nn.ReLU(),
            nn.Linear(32, OUTPUTS),
        )

    def forward(self, thumbnails: torch.Tensor) -> torch.Tensor:
        """Thumbnails [slice, SIDE, SIDE] to outputs [slice, 4], in the order of `SlicePredictions`."""
        outputs: torch.Tensor = self.answers(self.features(thumbnails[:, None]))
        return outputs


def _step(inputs: int, outputs: int, side: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False)
    pool = nn.MaxPool2d(2) if stride == 1 else nn.Identity()
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU(), pool


def _loss(network: OrientationNetwork, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Loss of detecting random flips, of relative height, and of visible liver."""
    right, front = torch.randint(0, 2, (2, len(batch["thumbnail"]))).bool()
    thumbnails = torch.where(right[:, None, None], batch["thumbnail"], batch["thumbnail"].flip(-1))
    thumbnails = torch.where(front[:, None, None], thumbnails, thumbnails.flip(-2))
    thumbnails = thumbnails + 0.1 * torch.rand(len(thumbnails), 1, 1) * torch.randn_like(thumbnails)
    outputs = network(thumbnails)
    flips = functional.binary_cross_entropy_with_logits(
        outputs[:, :2], torch.stack([right, front], dim=1).float()
    )
    rise = outputs[0::2, 2] - outputs[1::2, 2]
    known = batch["height"][0::2] - batch["height"][1::2]
    finite = known.isfinite()
    height = functional.smooth_l1_loss(rise[finite], known[finite])
    clear = (batch["liver"] == 0) | (batch["liver"] >= CLEAR_LIVER)
    liver = functional.binary_cross_entropy_with_logits(
        outputs[clear, 3], (batch["liver"][clear] > 0).float()
    )
    return 2 * flips + height + 0.5 * liver


def evaluate(root: str, split: Split) -> None:
    """Print the detections for each volume of a split: whole and in parts, unmodified and with flipped axes."""
    groups: dict[str, Counter[str]] = {}
    spacings: Counter[str] = Counter()
    livers: Counter[str] = Counter()
    for name, volume, labels in volumes(root, split):
        for part, scan, inside in _parts(volume, labels):
            seen = estimate_pose(SliceStack(scan, COARSE))
            liver = f"{inside:.0%} of slices with liver"
            print(f"{name}, {part}: {_format_pose(seen)}; {liver}", flush=True)
            share = "none" if not inside else "up to 10%" if inside <= 0.1 else "over 10%"
            livers[f"slices with liver: {share}"] += 1
            livers[f"slices with liver: {share}; flagged"] += check_anatomy(
                SliceStack(scan, COARSE)
            ).no_liver_visible
            for factor in SPACING_FACTORS if part == "whole" and "T1" not in name else ():
                spacings[f"spacing times {factor:g}"] += _flags_spacing(scan, factor)
            counts = groups.setdefault(
                f"{name.rpartition(' ')[0]}, {part.split(',')[0]}", Counter()
            )
            counts["scans"] += 1
            for form in FLIPS:
                found = flipped_axes(estimate_pose(SliceStack(_mirrored(scan, form), COARSE)))
                counts[", ".join(form) or "unmodified"] += set(found) == set(form)
                counts["flagged: " + (", ".join(form) or "unmodified")] += bool(found)
    print(f"\n{dict(spacings)}\n{dict(livers)}")
    heads = [", ".join(form) or "unmodified" for form in FLIPS]
    print(f"\n| {split} | scans | {' | '.join(heads)} |")
    print("|" + "---|" * (2 + len(FLIPS)))
    for group, counts in groups.items():
        found = [f"{counts[head]} ({counts[f'flagged: {head}']})" for head in heads]
        print(f"| {group} | {counts['scans']} | {' | '.join(found)} |")
    print("\nCorrectly identified (flagged with any axis).")


def _flags_spacing(volume: Volume, factor: float) -> bool:
    """Whether a wrong slice spacing is flagged."""
    axis = volume.geometry.canonical.permutation[0]
    affine = volume.geometry.affine.copy()
    affine[:3, axis] *= factor
    wrong = replace(volume, geometry=Geometry(volume.geometry.shape, affine))
    ratio = check_anatomy(SliceStack(wrong, COARSE)).spacing_ratio
    low, high = THRESHOLDS.spacing_ratio
    return ratio is not None and not low <= ratio <= high


def _format_pose(seen: Pose) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in vars(seen).items())


def _parts(volume: Volume, labels: Any) -> Iterator[tuple[str, Volume, float]]:
    """The scan and its lower, middle and upper half and third, each with the fraction of slices that contain liver."""
    axis = volume.geometry.canonical.permutation[0]
    size = volume.geometry.shape[axis]
    backwards = volume.geometry.canonical.flips[0]
    for part, low, high in PARTS:
        start, stop = round(low * size), round(high * size)
        if backwards:
            start, stop = size - stop, size - start
        chosen = tuple(slice(start, stop) if each == axis else slice(None) for each in range(3))
        values = volume.values[chosen]
        filled = np.moveaxis(labels[chosen], axis, 0).any(axis=(1, 2)).mean()
        geometry = Geometry(values.shape, volume.geometry.affine)
        yield part, Volume(values, geometry, volume.modality), float(filled)


def _mirrored(volume: Volume, form: tuple[FlippedAxis, ...]) -> Volume:
    permutation = volume.geometry.canonical.permutation
    axes: dict[FlippedAxis, int] = {
        "superior/inferior": 0,
        "anterior/posterior": 1,
        "left/right": 2,
    }
    return replace(
        volume, values=np.flip(volume.values, [permutation[axes[each]] for each in form])
    )


def volumes(root: str, split: Split) -> Iterator[tuple[str, Volume, Any]]:
    """The volumes of a split with their labels; stacks of 8-bit images are treated as MR."""
    files = SourceFiles(training_data(root))
    for source in (each for each in files.config.sources if each.kind == "volumes" or each.ordered):
        for patient, images in files.images(source, split).items():
            if source.ordered:
                pairs = [read_slice(files, source, path) for path in images]
                values, labels = (
                    np.concatenate(parts, axis=2)
                    for parts in zip(*((seen.values, label) for seen, label in pairs), strict=True)
                )
                volume = Volume(values, Geometry(values.shape, pairs[0][0].geometry.affine))
            else:
                volume, labels = read_volume(files, source, images[0])
            yield f"{source.name} {patient}", replace(volume, modality="MR"), labels


def main() -> None:
    """Parse the command line and run a command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    rendering = commands.add_parser("render", help="write the thumbnails for training")
    rendering.add_argument("folder", help="folder of the public data")
    rendering.add_argument("thumbnails", help="safetensors file to write")
    training = commands.add_parser("train", help="train and write the weights of the package")
    training.add_argument("thumbnails", help="safetensors file written by render")
    evaluation = commands.add_parser("evaluate", help="print the detections on a split")
    evaluation.add_argument("folder", help="folder of the public data")
    evaluation.add_argument("split", choices=("val", "test"), help="split of the recipe")
    options = parser.parse_args()
    if options.command == "render":
        render(options.folder, options.thumbnails)
    elif options.command == "train":
        train(options.thumbnails)
    else:
        evaluate(options.folder, options.split)


if __name__ == "__main__":
    main()
