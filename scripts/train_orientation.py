"""Train the network that tells which way round a body lies, and judge it.

    python scripts/train_orientation.py render FOLDER thumbnails.safetensors   # some 3 minutes on two cores
    python scripts/train_orientation.py train thumbnails.safetensors           # some 6 on one; writes the weights
    python scripts/train_orientation.py judge FOLDER val                       # or test

FOLDER holds the public data of the model card. Only training patients are rendered; slices that their publisher
mirrored at random are left out. Thumbnails go through the random changes of the segmentation's training first.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

import rma_mamba
from rma_mamba.datasets.augmentation.transforms import training_transform
from rma_mamba.datasets.cases import read_cases
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.labelled_images import read_slice, read_volume
from rma_mamba.datasets.slices import Draw, SliceDataset
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import Split
from rma_mamba.files import replace_file
from rma_mamba.inference.orientation import Pose, check_anatomy, estimate_pose, flipped_axes
from rma_mamba.inference.orientation_network import NAME, OrientationNetwork
from rma_mamba.inference.thumbnails import COARSE, SIDE, Box, body_box, crop
from rma_mamba.models.weights import encode_checkpoint
from rma_mamba.reporting.quality import FlippedAxis
from rma_mamba.reporting.quality_thresholds import THRESHOLDS
from rma_mamba.slicing import SliceStack
from rma_mamba.training import load_recipe
from rma_mamba.volume import Geometry, Volume

SEED = 42
PAIRS = 14_000  # two slices of one patient
MIXED = {"tissue_contrast": 0.35, "inversion": 0.15, "single_slice": 1.0, "scale": (0.8, 1.25)}
JITTER = 0.07  # of the box's sides
EPOCHS, BATCH, RATE = 24, 256, 4e-3
PARTS = (
    ("whole", 0, 1),
    ("half below", 0, 1 / 2),
    ("half in the middle", 1 / 4, 3 / 4),
    ("half above", 1 / 2, 1),
    ("third below", 0, 1 / 3),
    ("third in the middle", 1 / 3, 2 / 3),
    ("third above", 2 / 3, 1),
)
DISTANCES = (1, 0.25, 1 / 3, 0.5, 2, 3, 4)
FORMS: tuple[tuple[FlippedAxis, ...], ...] = (
    (),
    ("left/right",),
    ("anterior/posterior",),
    ("left/right", "anterior/posterior"),
    ("superior/inferior",),
    ("left/right", "superior/inferior"),
)
SURELY_LIVER = 40  # pixels of 4 mm; from one pixel to here it is neither with nor without liver


def data_of(root: str) -> DataConfig:
    """The recipe's data in coarse pixels, in the orientation that its patients have."""
    data = load_recipe("default", [f"data.root={root}"]).data
    return data.model_copy(
        update={
            "sources": tuple(each for each in data.sources if not each.mirrored_at_random),
            "recipe": COARSE,
            "augment": data.augment.model_copy(update=MIXED),
        }
    )


class Thumbnails(Dataset[dict[str, Any]]):
    """Thumbnails in pairs of one patient, each changed at random; the same whatever makes them."""

    def __init__(self, data: DataConfig) -> None:
        cases = read_cases(data, "train")
        self.slices = SliceDataset(
            cases,
            neighbours=True,
            transform=training_transform(data.augment, COARSE.size),
            single_slice=1.0,
        )
        places: dict[int, list[int]] = {}
        for place, (case, _) in enumerate(self.slices.index):
            places.setdefault(id(case), []).append(place)
        self.places = [places[id(case)] for case in cases]
        weights = np.array([len(case.images) ** 0.5 * case.weight for case in cases])
        self.chances = weights / weights.sum()

    def __len__(self) -> int:
        return 2 * PAIRS

    def __getitem__(self, item: int) -> dict[str, Any]:
        pair, which = divmod(item, 2)
        random = np.random.default_rng((SEED, pair))
        places = self.places[random.choice(len(self.places), p=self.chances)]
        place = int(random.choice(places, 2)[which])
        case, number = self.slices.index[place]
        sample = self.slices[Draw(place, (SEED, item))]
        grey = sample["image"][1].numpy()
        box = body_box(grey)
        picture = torch.zeros(SIDE, SIDE)
        if box is not None:
            picture = crop(grey, _jittered(box, grey.shape, np.random.default_rng((SEED, item, 1))))
        height = math.nan if case.gap_mm is None else number * case.gap_mm / 100
        return {"picture": picture, "height": height, "liver": sample["label"].sum().item()}


def _jittered(box: Box, shape: tuple[int, ...], random: np.random.Generator) -> Box:
    top, bottom, left, right = box
    tall, wide = (bottom - top) * JITTER, (right - left) * JITTER
    moves = random.uniform(-1, 1, 4) * (tall, tall, wide, wide)
    top, bottom, left, right = np.rint(box + moves).astype(int).tolist()
    return max(0, top), min(shape[0], bottom), max(0, left), min(shape[1], right)


def render(root: str, out: str) -> None:
    """Make all thumbnails of the training."""
    loader = DataLoader(Thumbnails(data_of(root)), batch_size=256, num_workers=2)
    parts = list(loader)
    arrays = {name: torch.cat([part[name] for part in parts]).numpy() for name in parts[0]}
    save_file({name: values.astype(np.float32) for name, values in arrays.items()}, out)


def train(rendered: str) -> None:
    """Train, and write the package's weights."""
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


def _loss(network: OrientationNetwork, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Each picture is mirrored at random, and has to tell."""
    right, front = torch.randint(0, 2, (2, len(batch["picture"]))).bool()
    pictures = torch.where(right[:, None, None], batch["picture"], batch["picture"].flip(-1))
    pictures = torch.where(front[:, None, None], pictures, pictures.flip(-2))
    pictures = pictures + 0.1 * torch.rand(len(pictures), 1, 1) * torch.randn_like(pictures)
    says = network(pictures)
    sides = functional.binary_cross_entropy_with_logits(
        says[:, :2], torch.stack([right, front], dim=1).float()
    )
    rise = says[0::2, 2] - says[1::2, 2]
    known = batch["height"][0::2] - batch["height"][1::2]
    there = known.isfinite()
    height = functional.smooth_l1_loss(rise[there], known[there])
    sure = (batch["liver"] == 0) | (batch["liver"] >= SURELY_LIVER)
    liver = functional.binary_cross_entropy_with_logits(
        says[sure, 3], (batch["liver"][sure] > 0).float()
    )
    return 2 * sides + height + 0.5 * liver


def judge(root: str, split: Split) -> None:
    """What is said of each volume of a split: whole and in parts, as it is and with sides exchanged."""
    told: dict[str, Counter[str]] = {}
    rises: Counter[str] = Counter()
    livers: Counter[str] = Counter()
    for name, volume, labels in volumes(root, split):
        for part, scan, inside in _parts(volume, labels):
            seen = estimate_pose(SliceStack(scan, COARSE))
            liver = f"{inside:.0%} of slices with liver"
            print(f"{name}, {part}: {_numbers(seen)}; {liver}", flush=True)
            share = "none" if not inside else "up to 10%" if inside <= 0.1 else "over 10%"
            livers[f"slices with liver: {share}"] += 1
            livers[f"slices with liver: {share}; flagged"] += check_anatomy(
                SliceStack(scan, COARSE)
            ).no_liver_visible
            for factor in DISTANCES if part == "whole" and "T1" not in name else ():
                rises[f"distance times {factor:g}"] += _is_told(scan, factor)
            counts = told.setdefault(f"{name.rpartition(' ')[0]}, {part.split()[0]}", Counter())
            counts["scans"] += 1
            for form in FORMS:
                found = flipped_axes(estimate_pose(SliceStack(_mirrored(scan, form), COARSE)))
                counts[", ".join(form) or "as it is"] += set(found) == set(form)
                counts["flagged: " + (", ".join(form) or "as it is")] += bool(found)
    print(f"\n{dict(rises)}\n{dict(livers)}")
    heads = [", ".join(form) or "as it is" for form in FORMS]
    print(f"\n| {split} | scans | {' | '.join(heads)} |")
    print("|" + "---|" * (2 + len(FORMS)))
    for group, counts in told.items():
        found = [f"{counts[head]} ({counts[f'flagged: {head}']})" for head in heads]
        print(f"| {group} | {counts['scans']} | {' | '.join(found)} |")
    print("\nRightly named (flagged at all).")


def _is_told(volume: Volume, factor: float) -> bool:
    """Whether a wrong distance of slices is flagged."""
    axis = volume.geometry.canonical.permutation[0]
    affine = volume.geometry.affine.copy()
    affine[:3, axis] *= factor
    wrong = replace(volume, geometry=Geometry(volume.geometry.shape, affine))
    ratio = check_anatomy(SliceStack(wrong, COARSE)).spacing_ratio
    low, high = THRESHOLDS.spacing_ratio
    return ratio is not None and not low <= ratio <= high


def _numbers(seen: Pose) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in vars(seen).items())


def _parts(volume: Volume, labels: Any) -> Iterator[tuple[str, Volume, float]]:
    """The scan; its lower, middle and upper half and third; with the share of slices with liver."""
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
    places: dict[FlippedAxis, int] = {
        "superior/inferior": 0,
        "anterior/posterior": 1,
        "left/right": 2,
    }
    return replace(
        volume, values=np.flip(volume.values, [permutation[places[each]] for each in form])
    )


def volumes(root: str, split: Split) -> Iterator[tuple[str, Volume, Any]]:
    """The whole volumes of a split, and their labels; 8-bit grey levels are scaled like MR."""
    files = SourceFiles(data_of(root))
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


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"render": render, "train": train, "judge": judge}[command](*arguments)
