"""From the logits of several classes to probabilities and a label map."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from rma_mamba.label_scheme import LabelScheme
from rma_mamba.slicing import SlicePlan

Probabilities = npt.NDArray[np.float32]  # [class, slice, row, column]

_NEVER = 1e-6  # keeps logits finite


def class_probabilities(
    plan: SlicePlan, logits: npt.NDArray[Any], scheme: LabelScheme
) -> Probabilities:
    """Logits [slice, class, height, width] on the canvas to probabilities [class, slice, row, column] of the scan.

    Regions have a sigmoid each; exclusive classes share a softmax with the background, whose logit is 0.
    """
    if scheme.exclusive:
        background = np.zeros_like(logits[:, :1])
        total = scipy.special.logsumexp(
            np.concatenate([background, logits], axis=1), axis=1, keepdims=True
        )
        on_canvas = np.exp(logits - total)
    else:
        on_canvas = scipy.special.expit(logits)
    return np.stack([plan.from_canvas(each) for each in on_canvas.swapaxes(0, 1)])


def label_map(
    probabilities: Probabilities, scheme: LabelScheme, threshold: float
) -> npt.NDArray[np.uint8]:
    """Probabilities to a label map [slice, row, column].

    A region is where its probability exceeds the threshold; what is inside a region is part of it. An exclusive class
    is the likeliest one, where the classes together exceed the threshold.
    """
    if not scheme.exclusive:
        return scheme.map_of(scheme.join(list(probabilities > threshold)))
    inside = probabilities.sum(axis=0) > threshold
    return np.where(inside, probabilities.argmax(axis=0) + 1, 0).astype(np.uint8)


def liver_probability(probabilities: Probabilities, scheme: LabelScheme) -> npt.NDArray[np.float32]:
    """Probability of the liver as an organ [slice, row, column]."""
    part_of_liver = probabilities[[value - 1 for value in scheme.liver_values]]
    together = part_of_liver.sum(axis=0) if scheme.exclusive else part_of_liver.max(axis=0)
    return np.asarray(together.clip(0, 1), np.float32)


def liver_logits(logits: npt.NDArray[Any], scheme: LabelScheme) -> npt.NDArray[Any]:
    """Logits [slice, class, height, width] to those of the liver as an organ [slice, 1, height, width]."""
    part_of_liver = logits[:, [value - 1 for value in scheme.liver_values]]
    if not scheme.exclusive:
        return np.asarray(part_of_liver.max(axis=1, keepdims=True))
    background = np.zeros_like(logits[:, :1])
    total = scipy.special.logsumexp(
        np.concatenate([background, logits], axis=1), axis=1, keepdims=True
    )
    share = np.exp(scipy.special.logsumexp(part_of_liver, axis=1, keepdims=True) - total)
    return np.asarray(scipy.special.logit(np.clip(share, _NEVER, 1 - _NEVER)))


def clear_removed_liver(
    values: npt.NDArray[np.uint8], liver: npt.NDArray[np.uint8], scheme: LabelScheme
) -> None:
    """Clear, in place, the voxels of a label map that were removed from the liver; other organs keep theirs."""
    values[(scheme.liver_in(values) > 0) & (liver == 0)] = 0
