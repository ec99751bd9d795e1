"""Random contrasts: tissues, the liver and lesions in synthetic brightness."""

from __future__ import annotations

import math

import numpy as np
import torch
from monai.transforms import MapTransform, Randomizable
from torch import Tensor
from torch.nn import functional

from rma_mamba.datasets.slices import Sample

IMAGE_AND_LABEL = ("image", "label")
ALL_KEYS = (
    *IMAGE_AND_LABEL,
    "classes",
)  # what moves with the anatomy; "classes" if there are several
MIDDLE = 1  # of the three channels: the slice that is segmented
_SLICE_PX = 2.5  # spacing of the slices of a stack, in pixels
KNOTS = (0.0, 0.06, 0.25, 0.45, 0.65, 0.85, 1.0)  # intensities at which a random curve bends
INVERTED_TEXTURE = (
    0.15  # fraction of tissues: vessels that are bright in one contrast are dark in another
)


class RandContrast(Randomizable, MapTransform):  # type: ignore[misc]
    """Base of the random changes of intensity, each applied with a probability."""

    def __init__(self, probability: float) -> None:
        super().__init__(IMAGE_AND_LABEL)
        self.probability = probability

    def is_skipped(self) -> bool:
        """Draw whether this sample is left unchanged."""
        return bool(self.R.random() >= self.probability)


class RandTissueContrast(RandContrast):
    """Give every labelled organ a random brightness and texture, and everything else a random intensity curve.

    This applies the idea of SynthSeg (arXiv:2107.09559) to real anatomy: the result differs from a CT as much as an MR
    does, while organ borders and vessels stay in place.
    """

    def __call__(self, data: Sample) -> Sample:
        """Transform a sample with "image" in [0, 1] and "tissues"."""
        if self.is_skipped():
            return data
        image, organs = data["image"], data["tissues"].long()
        level = (image * 255).round().long().clamp(0, 255)
        count = torch.bincount(organs.flatten(), minlength=256).clamp(min=1)
        mean = torch.bincount(organs.flatten(), image.flatten(), minlength=256) / count
        brightness = torch.from_numpy(self.R.uniform(0.06, 0.95, 256)).float()
        texture = torch.from_numpy(np.exp(self.R.uniform(-0.7, 0.7, 256))).float()
        texture[torch.from_numpy(self.R.random(256) < INVERTED_TEXTURE)] *= -1
        organ = brightness[organs] + texture[organs] * (image - mean[organs])
        changed = torch.where(organs > 0, organ, self._curve()[level])
        # the borders of labels are sharper than those of a scan
        return {**data, "image": (changed + blurred(changed, 1)) / 2}

    def _curve(self) -> Tensor:
        """New brightness of each of 256 grey levels (not monotonic); air stays dark."""
        heights = self.R.uniform(0, 1, len(KNOTS))
        heights[:2] = 0, 0.15 * heights[1]
        return torch.from_numpy(np.interp(np.arange(256) / 255, KNOTS, heights)).float()


class RandLiverContrast(RandContrast):
    """Make the liver darker or brighter, as iron does in MR, fat in CT and contrast agent in both.

    Its intensities are scaled by a factor between 0.3 and 1.8, with a smooth transition at the border.
    """

    def __call__(self, data: Sample) -> Sample:
        """Transform a sample with "image" in [0, 1] and "label"."""
        if self.is_skipped():
            return data
        factor = math.exp(self.R.uniform(math.log(0.3), math.log(1.8)))
        soft = blurred(data["label"], 2)
        return {**data, "image": data["image"] * (1 + (factor - 1) * soft)}


class RandLesions(RandContrast):
    """Add darker or brighter blobs inside the liver, which imitate tumours, cysts and nodules.

    In a stack of slices they are ellipsoids. Where several classes are labelled there are none: they would be tumours
    without a label.

    Args:
        probability: Probability of lesions.
        largest_px: Largest radius in pixels.
        stacked: Whether samples are stacks of slices; else the three channels of one slice.
    """

    def __init__(
        self, probability: float, largest_px: float = 16, *, stacked: bool = False
    ) -> None:
        super().__init__(probability)
        self.largest_px, self.stacked = largest_px, stacked

    def __call__(self, data: Sample) -> Sample:
        """Transform a sample with "image" in [0, 1] and "label"."""
        if self.is_skipped() or "classes" in data:
            return data
        label = data["label"]
        inside = label.nonzero() if self.stacked else label[MIDDLE : MIDDLE + 1].nonzero()
        if len(inside) == 0:
            return data
        slices, rows, columns = (torch.arange(size, device=label.device) for size in label.shape)
        numbers = slices[:, None, None] if self.stacked else slices[:1, None, None]
        rows = rows[:, None]
        shift = label.new_zeros(len(numbers), *label.shape[1:])
        for _ in range(self.R.randint(1, 7)):
            number, row, column = inside[self.R.randint(len(inside))].tolist()
            radius = math.exp(self.R.uniform(math.log(2), math.log(self.largest_px)))
            tall, wide = radius * self.R.uniform(0.7, 1.4, 2)
            distance = ((rows - row) / tall) ** 2 + ((columns - column) / wide) ** 2
            distance = distance + ((numbers - number) * _SLICE_PX / radius) ** 2
            shift = torch.where(distance < 1, self.R.uniform(-0.4, 0.4), shift)
        return {**data, "image": data["image"] + blurred(shift, 1) * label}


class RandInversion(RandContrast):
    """Invert the contrast except where the image is black."""

    def __call__(self, data: Sample) -> Sample:
        """Transform a sample with "image" in [0, 1]."""
        if self.is_skipped():
            return data
        image = data["image"].clamp(0, 1)
        return {**data, "image": (1 - image) * (image / 0.1).clamp(max=1)}


def blurred(mask: Tensor, radius: int) -> Tensor:
    """Mean over a square of 2 * radius + 1 pixels, of a tensor [channel, height, width]."""
    return functional.avg_pool2d(mask[None], 2 * radius + 1, stride=1, padding=radius)[0]
