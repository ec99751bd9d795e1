"""A network with its recipe and its device: scans in, masks out, a few slices at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pydantic
import torch
from torch import nn

from rma_mamba.errors import ConfigError, WeightsError
from rma_mamba.inference.device import choose_device
from rma_mamba.inference.given import Scan, as_volume
from rma_mamba.inference.orientation import anatomy
from rma_mamba.inference.postprocess import remove_islands
from rma_mamba.inference.uncertainty import Agreement, Uncertainty, entropy_bits, judge
from rma_mamba.models import create_model, for_inference, list_models
from rma_mamba.models.weights import EMBEDDED, Checkpoint, embedded_weights, read_checkpoint
from rma_mamba.reporting import Measurements, Quality, assess, measure
from rma_mamba.slicing import CalibratedVolume, SliceRecipe, SliceStack, calibrated
from rma_mamba.volume import Mask, Modality

Progress = Callable[[int, int], None]  # slices done, slices in all
Precision = Literal["float32", "bfloat16"]

POSSIBLE_LOGIT = -3.0  # a probability of 0.05: slices without one as high get no other look
ISLAND_SHARE = 0.1  # of the largest component; smaller ones are not liver

_PIXELS_AT_A_TIME = 600_000  # 16 slices of 192 x 192; more is not faster on a CPU
_MOST_SLICES = 16


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What was found in a scan.

    Args:
        mask: The liver, on the scan's own grid.
        scan: The scan as segmented: modality decided, CT in HU where possible. Preview, measurements and report of
            the result are made from it.
        warnings: What the reader repaired or doubts and what the mask shows, one sentence each.
        probabilities: float32 (i, j, k) on the scan's grid, before islands were removed; or None.
        quality: A traffic light, and the flags behind it.
        uncertainty: How well the looks and the network's maps agree, and the Dice that this predicts.
    """

    mask: Mask
    scan: CalibratedVolume = field(repr=False)
    warnings: tuple[str, ...] = ()
    probabilities: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    quality: Quality = field(default_factory=Quality)
    uncertainty: Uncertainty = field(default_factory=Uncertainty)

    @property
    def modality(self) -> Modality:
        """ "CT" or "MR": as requested, else read from the header, else detected from the intensities."""
        return self.scan.modality

    @property
    def volume_ml(self) -> float:
        """Volume of the liver in millilitres; 0.0 if none was found."""
        return self.mask.volume_ml

    @cached_property
    def measurements(self) -> Measurements:
        """Volume, extent, and the faces of the scan that the liver touches."""
        return measure(self.mask)

    @property
    def uncertainty_bits(self) -> npt.NDArray[np.float32] | None:
        """Entropy of each voxel's probability in bits: 0 sure, 1 as likely as not; None without probabilities."""
        return None if self.probabilities is None else entropy_bits(self.probabilities)


class Looks(NamedTuple):
    """What the network says of some slices.

    Args:
        maps: The last maps of the first look, finest last, logits [slice, 1, height, width].
        others: The finest maps of the other looks, of slices `again`; empty if there are none of either.
        again: Numbers of the slices that are looked at again.
    """

    maps: list[npt.NDArray[np.float32]]
    others: list[npt.NDArray[np.float32]]
    again: npt.NDArray[np.intp]


class Segmenter:
    """A trained network, ready for any number of scans.

    Args:
        model: Images [slice, 3, height, width] to a list of logits, finest last.
        recipe: What the network is shown.
        device: Where it runs.
        batch_size: Slices at a time; None: so many that memory stays modest.
        island_share: Components smaller than this share of the largest are removed, and those that lie far
            from it; 0 keeps all.
        fast: One look at each slice, at the recipe's first magnification, instead of one at each.
        precision: Of matrix products. bfloat16 is faster where the hardware has it; about one voxel of the
            liver in a thousand changes.
        weights_sha256: Of the weights' tensors, where they come from a file.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: SliceRecipe,
        *,
        device: str = "cpu",
        batch_size: int | None = None,
        island_share: float = ISLAND_SHARE,
        fast: bool = False,
        precision: Precision = "float32",
        weights_sha256: str | None = None,
    ) -> None:
        self.device = choose_device(device)
        self.dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        self.model = for_inference(model, self.dtype).to(self.device)
        self.weights_sha256 = weights_sha256
        looks = recipe.magnifications[: 1 if fast else None]
        self.recipe = recipe.model_copy(update={"magnifications": looks})
        self.batch_size = batch_size
        self.island_share = island_share

    @classmethod
    def load(
        cls,
        model: str | Path = EMBEDDED,
        *,
        device: str = "auto",
        batch_size: int | None = None,
        fast: bool = False,
        precision: Precision = "float32",
    ) -> Segmenter:
        """A segmenter with trained weights.

        Args:
            model: "default", the embedded network, or a weights file made by `rma-mamba train`.
            device: auto, cpu, cuda or cuda:N.
            batch_size: Slices at a time; None: chosen for the scan.
            fast: One look at each slice instead of several.
            precision: float32, or bfloat16 for speed.

        Raises:
            WeightsError: The weights are missing or damaged.
            BackendError: The device cannot be used.
        """
        chosen = choose_device(device)
        checkpoint = _embedded() if str(model) == EMBEDDED else _from_file(str(model))
        try:
            recipe = SliceRecipe.model_validate(checkpoint.recipe)
            network = create_model(checkpoint.model, **checkpoint.settings)
            network.load_state_dict(checkpoint.state)
        except (pydantic.ValidationError, ConfigError, RuntimeError):
            raise WeightsError(
                f"the weights of a '{checkpoint.model}' do not fit the network of this version; "
                "expected weights made by it. Train again or use the version that made them."
            ) from None
        return cls(
            network,
            recipe,
            device=str(chosen),
            batch_size=batch_size,
            fast=fast,
            precision=precision,
            weights_sha256=checkpoint.sha256,
        )

    def with_recipe(self, **changes: Any) -> Segmenter:
        """A segmenter with the same network and a changed slice recipe; this one stays as it is.

        Args:
            changes: Fields of `SliceRecipe` and their new values, such as neighbours=False.

        Raises:
            ConfigError: There is no such field, or a value is not allowed.
        """
        try:
            recipe = SliceRecipe.model_validate({**self.recipe.model_dump(), **changes})
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(
                f"the slice recipe cannot be changed: {first['loc'][0]}: {first['msg']}; expected fields of "
                "SliceRecipe with allowed values. Correct the keyword arguments."
            ) from None
        changed = copy(self)
        changed.recipe = recipe
        return changed

    def __call__(
        self,
        scan: Scan,
        *,
        modality: Modality | None = None,
        progress: Progress | None = None,
        keep_probabilities: bool = False,
    ) -> Segmentation:
        """Segment the liver.

        Args:
            scan: A Volume, a path, a nibabel or SimpleITK image, or an array [i, j, k] with its affine.
            modality: CT or MR; None: read from the header, else detected from the intensities.
            progress: Called with (slices done, slices in all).
            keep_probabilities: Also keep the probabilities: four bytes a voxel.

        Raises:
            ScanError: The scan cannot be read, or is no 3-D volume.
            GridError: Its geometry is impossible, or its field of view far too wide.
            ConfigError: The modality is neither CT nor MR.
        """
        volume = calibrated(as_volume(scan), modality)
        labels = np.zeros(volume.geometry.shape, np.uint8)
        # in the order of files, so that writing needs no copy
        probabilities = (
            np.zeros(labels.shape, np.float32, order="F") if keep_probabilities else None
        )
        stack = SliceStack(volume, self.recipe)
        agreement = self._fill(stack, labels, probabilities, progress)
        found = int(np.count_nonzero(labels))
        remove_islands(labels, self.island_share, volume.geometry.spacing_mm)
        mask = Mask(labels, volume.geometry, volume.header, volume.source_images)
        kept = int(np.count_nonzero(labels))
        uncertainty = judge(agreement.found, found, kept, self.weights_sha256)
        quality = assess(
            volume,
            mask,
            stack.scale.range,
            predicted_dice=uncertainty.predicted_dice,
            anatomy=anatomy(stack),
        )
        warnings = tuple(dict.fromkeys((*volume.warnings, *measure(mask).warnings)))
        return Segmentation(mask, volume, warnings, probabilities, quality, uncertainty)

    def logits(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The network's finest map, float32 [slice, 1, height, width], of slices on the canvas."""
        return self.maps(images, 1)[0]

    def maps(
        self, images: npt.NDArray[np.float32], count: int = 3
    ) -> list[npt.NDArray[np.float32]]:
        """The network's last maps, finest last, or as many as it has; each as of `logits`."""
        half = self.dtype != torch.float32
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, enabled=half):
            maps: list[Any] = self.model(torch.from_numpy(images).to(self.device))
            return [each.float().cpu().numpy() for each in maps[-count:]]

    def looks(self, images: list[npt.NDArray[np.float32]]) -> Looks:
        """The first look at all slices, and the others at those where it finds a trace of liver.

        Args:
            images: Of each look, the same slices on its canvas.
        """
        maps = self.maps(images[0])
        again = np.flatnonzero(maps[-1].max(axis=(1, 2, 3)) > POSSIBLE_LOGIT)
        others = [self.logits(each[again]) for each in images[1:]] if len(again) else []
        return Looks(maps, others, again)

    def _fill(
        self,
        stack: SliceStack,
        labels: npt.NDArray[np.uint8],
        probabilities: npt.NDArray[np.float32] | None,
        progress: Progress | None,
    ) -> Agreement:
        # views in canonical order: what is written here lands on the scan's own grid
        order = stack.volume.geometry.canonical
        slices = order.apply(labels)
        likely = None if probabilities is None else order.apply(probabilities)
        views = stack.views()
        height, width = np.max([view.plan.canvas for view in views], axis=0).tolist()
        size = self.batch_size or max(1, min(_MOST_SLICES, _PIXELS_AT_A_TIME // (height * width)))
        parts = [slice(at, min(at + size, len(stack))) for at in range(0, len(stack), size)]
        agreement = Agreement(len(views), self.recipe.threshold)

        def keep(part: slice, looks: Looks) -> None:
            found = views[0].plan.to_probabilities(looks.maps[-1])
            again, pairs = looks.again, zip(views[1:], looks.others, strict=False)
            seen = [found[again], *(view.plan.to_probabilities(each) for view, each in pairs)]
            if len(seen) > 1:
                found[again] = np.mean(seen, axis=0)
            slices[part] = found > self.recipe.threshold
            agreement.add(seen, found)
            if len(looks.maps) > 1:
                agreement.add_maps(looks.maps[-1], looks.maps[0])
            if likely is not None:
                likely[part] = found

        # Slices are made for the network, and its maps brought back, while it computes: one batch ahead and
        # one behind, so that memory does not grow with the number of slices.
        with ThreadPoolExecutor(2, thread_name_prefix="rma-mamba-slices") as beside:
            made = beside.submit(_images, views, parts[0])
            kept: Future[None] | None = None
            for number, part in enumerate(parts):
                images = made.result()
                if number + 1 < len(parts):
                    made = beside.submit(_images, views, parts[number + 1])
                looks = self.looks(images)
                if kept is not None:
                    kept.result()
                kept = beside.submit(keep, part, looks)
                if progress is not None:
                    progress(part.stop, len(stack))
            if kept is not None:
                kept.result()
        return agreement


def _images(views: list[SliceStack], part: slice) -> list[npt.NDArray[np.float32]]:
    return [view[part] for view in views]


def _embedded() -> Checkpoint:
    with embedded_weights() as path:
        return read_checkpoint(path)


def _from_file(model: str) -> Checkpoint:
    if model in list_models():
        raise WeightsError(
            f"'{model}' is a network without embedded weights; expected 'default' or a weights file. "
            "Train it, and give the path of its weights.safetensors."
        )
    return read_checkpoint(model)
