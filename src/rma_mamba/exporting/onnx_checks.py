"""Compare an ONNX model on ONNX Runtime with the network on PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit, softmax

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.errors import ConfigError
from rma_mamba.inference.class_decoding import label_map
from rma_mamba.slicing import CalibratedVolume, SliceRecipe, SliceStack, calibrated, joined

if TYPE_CHECKING:
    from rma_mamba.inference import Segmenter

Floats = npt.NDArray[np.float32]

LARGEST_SHARE: Final = 2e-4  # of voxels whose label may differ
# Largest difference of a logit. Stored in fewer bits, the weights are others: then the masks decide.
LARGEST_ERROR: Final = {"fp32": 1e-3}
_ROUNDING: Final = 4.0  # times the rounding error of PyTorch are tolerated, if that is larger
_SLICES: Final = 6  # of each input
_ODD_SIZE: Final = (75, 50)  # no multiple of 32
_SHAPE: Final = (128, 128, 18)  # of the phantoms: whole abdomens, coarse
_SPACING_MM: Final = (2.8, 2.8, 12.0)


@dataclass(frozen=True)
class OnnxReport:
    """How far ONNX Runtime and PyTorch differ on random and phantom slices.

    Args:
        largest_error: Largest difference of a logit.
        differing_share: Share of voxels whose label differs.
        voxels: Number of voxels that were compared.
        rounding_error: Largest difference of a logit between PyTorch in float32 and in float64; 0.0 unless it was
            needed. It is large for networks that amplify rounding errors, such as untrained ones.
    """

    largest_error: float
    differing_share: float
    voxels: int
    rounding_error: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)

    @property
    def line(self) -> str:
        """The comparison in one line."""
        own = f" (whose rounding error is {self.rounding_error:.1e})" if self.rounding_error else ""
        return (
            f"logits differ from PyTorch{own} by at most {self.largest_error:.1e}, "
            f"labels in {self.differing_share:.4%} of {self.voxels} voxels"
        )


def check_onnx(
    content: bytes,
    segmenter: Segmenter,
    precision: Literal["fp32", "fp16", "int8"],
    size: tuple[int, int] | None = None,
) -> OnnxReport:
    """Run a model and compare all of its outputs.

    Args:
        content: The model as stored in a file.
        segmenter: The same network on PyTorch.
        precision: Type of the stored weights.
        size: Fixed height and width; None: the canvas of the recipe, and another size.

    Raises:
        ConfigError: The difference is too large.
    """
    from rma_mamba.portable.onnx_session import OnnxNetwork  # imports ONNX Runtime

    network, recipe = OnnxNetwork(content), segmenter.recipe
    limit = LARGEST_ERROR.get(precision, np.inf)
    error, rounding, differing, voxels, same = 0.0, 0.0, 0, 0, True
    for images in _inputs(recipe, size):
        expected, found = segmenter.maps(images), network.maps(images)
        difference = _largest_difference(expected, found)
        if difference > limit:
            exact = _exact_maps(segmenter, images)
            own = _largest_difference(expected, exact)
            same &= _largest_difference(found, exact) <= _ROUNDING * own
            rounding = max(rounding, own)
        same &= bool(np.isfinite(difference))
        error = max(error, difference)
        labels = _labels(expected[-1], recipe), _labels(found[-1], recipe)
        differing += int(np.count_nonzero(labels[0] != labels[1]))
        voxels += labels[0].size
    report = OnnxReport(error, differing / voxels, voxels, rounding)
    if not (same and report.differing_share <= LARGEST_SHARE):
        raise ConfigError(
            f"the exported network is not the same: {report.line}; expected at most {limit:.0e} and "
            f"{LARGEST_SHARE:.2%}. Nothing was written; export with --precision fp32, or report this if it was."
        )
    return report


def _largest_difference(one: list[Floats], other: list[Floats]) -> float:
    """Of all values of two lists of maps; infinite if a value is not a number."""
    largest = max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))
    return largest if np.isfinite(largest) else np.inf


def _exact_maps(segmenter: Segmenter, images: Floats) -> list[Floats]:
    """The logit maps computed in float64."""
    model = deepcopy(segmenter.model).double()
    with torch.inference_mode():
        maps: list[torch.Tensor] = model(torch.from_numpy(images).double())
    return [each.numpy() for each in maps]


def _inputs(recipe: SliceRecipe, size: tuple[int, int] | None) -> Iterator[Floats]:
    """Random images, and slices of an MR-like and of a CT-like phantom."""
    random = np.random.default_rng(0)
    phantoms = [_phantom_slices(contrast, recipe) for contrast in ("mr_t2", "ct")]
    channels, *canvas = phantoms[0].shape[1:]
    if size is not None:
        yield from (_fitted(images, size) for images in phantoms)
        yield random.random((_SLICES, channels, *size), np.float32)
        return
    yield from phantoms
    yield random.random((_SLICES, channels, *canvas), np.float32)
    yield random.random((1, channels, *_ODD_SIZE), np.float32)


@cache
def _phantom(contrast: Literal["mr_t2", "ct"]) -> CalibratedVolume:
    return calibrated(
        make_phantom(0, contrast=contrast, shape=_SHAPE, spacing_mm=_SPACING_MM).volume
    )


def _phantom_slices(contrast: Literal["mr_t2", "ct"], recipe: SliceRecipe) -> Floats:
    scan = _phantom(contrast)
    if recipe.channel_names:  # the network takes several scans of a patient
        scan = calibrated(joined(dict.fromkeys(recipe.channel_names, scan)))
    stack = SliceStack(scan, recipe)
    first = (len(stack) - _SLICES) // 2
    return stack[first : first + _SLICES]


def _fitted(images: Floats, size: tuple[int, int]) -> Floats:
    """Images cropped or padded to a size."""
    missing = [max(0, wanted - found) for wanted, found in zip(size, images.shape[2:], strict=True)]
    padded = np.pad(images, ((0, 0), (0, 0), (0, missing[0]), (0, missing[1])))
    return np.ascontiguousarray(padded[:, :, : size[0], : size[1]])


def _labels(logits: Floats, recipe: SliceRecipe) -> npt.NDArray[np.uint8]:
    scheme = recipe.labels
    if scheme.exclusive:
        background = np.zeros_like(logits[:, :1])
        probabilities = softmax(np.concatenate([background, logits], axis=1), axis=1)[:, 1:]
    else:
        probabilities = expit(logits)
    return label_map(probabilities.swapaxes(0, 1), scheme, recipe.threshold)
