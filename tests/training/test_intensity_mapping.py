"""One slice is the same network input in training, validation, testing and segmentation."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from rma_mamba.evaluation import score_segmenter
from rma_mamba.inference import Segmenter
from rma_mamba.models.weights import encode_checkpoint, read_checkpoint
from rma_mamba.pipeline import segment_case
from rma_mamba.training.config import Recipe
from rma_mamba.training.data_module import SliceDataModule
from tiny import SETTINGS, tiny_network

SIDE = 64
SOURCES: dict[str, dict[str, object]] = {
    "MR, default": {},
    "MR, stored": {"intensity": "stored"},
    "MR, percentiles": {"intensity": "scan"},
    "CT, unknown window": {"modality": "CT"},
}


class Seen(nn.Module):
    """Remembers its input."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        self.images.append(images)
        return [images[:, :1] - 0.5]


def grey(dark: bool = True) -> np.ndarray:
    """A dim slice whose brightest pixel is far from white, with a liver."""
    random = np.random.default_rng(3)
    values = random.integers(0, 30, (SIDE, SIDE))
    values[10:40, 8:30] += 70 if dark else 200
    return values.astype(np.uint8)


def write(folder: Path) -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[10:40, 8:30] = 255
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    for patient in "123":
        Image.fromarray(grey()).save(folder / "images" / f"{patient}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{patient}.png")


def recipe(folder: Path, source: dict[str, object], **settings: object) -> Recipe:
    return Recipe.model_validate(
        {
            "training": {"batch_size": 1, "workers": 0},
            "data": {
                "root": str(folder),
                "crop": SIDE,
                "recipe": {"size": SIDE, "spacing_mm": "fit", **settings},
                "splits": {"a": {"val": ["2"], "test": ["3"]}},
                "sources": [
                    {
                        "name": "slices",
                        "kind": "slices",
                        "dataset": "a",
                        "images": "images",
                        "labels": "masks",
                        "patient": r"(\d)\.png",
                        **source,
                    }
                ],
            },
        }
    )


def seen_images(folder: Path, used: Recipe, out: Path) -> Iterator[np.ndarray]:
    """What the network sees of the same slice on each of the four paths."""
    data = SliceDataModule(used)
    data.setup("fit")
    yield data.train[0]["image"].numpy()
    yield data.val[0]["image"].numpy()
    content = encode_checkpoint(  # as at the end of training
        tiny_network().state_dict(),
        model="rma-mamba-n",
        settings=SETTINGS,
        recipe=used.data.recipe.model_dump(mode="json"),
    )
    weights = folder / "weights.safetensors"
    weights.write_bytes(content)
    segmenter = Segmenter.load(weights, device="cpu")
    segmenter.model = seen = Seen()
    score_segmenter(segmenter, used.data, "test")
    segment_case(folder / "images" / "3.png", out, segmenter=segmenter)
    if used.data.recipe.grey_levels == "stored":  # --modality does not change grey levels
        segmenter(folder / "images" / "3.png", modality="CT")
    yield from (each[0].numpy() for each in seen.images)


@pytest.mark.parametrize("source", SOURCES.values(), ids=list(SOURCES))
@pytest.mark.parametrize("headroom", [0, 0.5])
def test_a_slice_is_the_same_on_all_four_paths(
    tmp_path: Path, source: dict[str, object], headroom: float
) -> None:
    write(tmp_path)
    used = recipe(tmp_path, source, mr_headroom=headroom)
    train, *others = seen_images(tmp_path, used, tmp_path / "mask.nii.gz")
    for each in others:
        assert np.abs(each - train).max() <= 1 / 255  # training data are stored in 8 bits
    brightest = float(train.max())
    stored = source.get("intensity") != "scan"
    assert brightest == pytest.approx(grey().max() / 255, abs=0.01) if stored else brightest > 0.6
    assert (brightest < 0.5) == stored


def test_weights_record_the_mapping(tmp_path: Path) -> None:
    write(tmp_path)
    list(seen_images(tmp_path, recipe(tmp_path, {}), tmp_path / "mask.nii.gz"))
    assert read_checkpoint(tmp_path / "weights.safetensors").recipe["grey_levels"] == "stored"
    scan = recipe(tmp_path, {}, grey_levels="scan")
    assert scan.data.recipe.grey_levels == "scan"
    assert Recipe.model_validate(scan.model_dump()).data.recipe.grey_levels == "scan"


def test_weights_without_a_record_scale_slices_as_before(tmp_path: Path) -> None:
    write(tmp_path)
    seen = Seen()
    segmenter = Segmenter(seen, recipe(tmp_path, {}, grey_levels="scan").data.recipe)
    segmenter.model = seen
    segment_case(tmp_path / "images" / "1.png", tmp_path / "mask.nii.gz", segmenter=segmenter)
    assert float(seen.images[0].max()) > 0.9
