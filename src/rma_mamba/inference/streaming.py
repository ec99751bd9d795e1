"""Segmentation of a scan in batches of slices; memory use does not grow with the number of slices."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from rma_mamba.inference.batches import Batch, plan_batches
from rma_mamba.inference.class_decoding import (
    class_probabilities,
    label_map,
    liver_logits,
    liver_probability,
)
from rma_mamba.inference.tta import Images, Logits, TtaLogits
from rma_mamba.inference.uncertainty import Agreement
from rma_mamba.slicing import SlicePlan, SliceStack

Convert = Callable[[SlicePlan, Logits], Logits]  # logits on the canvas to probabilities
Predict = Callable[[list[Images]], TtaLogits]
Progress = Callable[[int, int], None]  # slices done, total number of slices


class SliceWriter:
    """Writes the results of each batch to the scan's own grid and accumulates the agreement.

    Args:
        stack: The scan's slices.
        labels: uint8 (i, j, k) on the scan's grid; filled in place.
        probabilities: float32 (i, j, k) on the scan's grid, filled in place; or None.
        squares: bool [slice, side, side], filled in place with the thresholded probability of each slice, resampled
            from the canvas to side x side pixels; or None.
        classes: Label map of a network with several classes, uint8 (i, j, k), filled in place; or None.
    """

    def __init__(
        self,
        stack: SliceStack,
        labels: npt.NDArray[np.uint8],
        probabilities: npt.NDArray[np.float32] | None,
        squares: npt.NDArray[np.bool_] | None = None,
        classes: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        self.scales = stack.at_tta_scales()
        self.threshold = stack.recipe.threshold
        self.agreement = Agreement(len(self.scales), self.threshold)
        # views in canonical order: writes go to the scan's own grid
        order = stack.volume.geometry.canonical
        self._labels, self._squares = order.apply(labels), squares
        self._probabilities = None if probabilities is None else order.apply(probabilities)
        self._classes = None if classes is None else order.apply(classes)
        self._scheme = stack.recipe.labels

    def images(self, batch: Batch) -> list[Images]:
        """Slices at each TTA scale."""
        return [scale[batch.seen] for scale in self.scales]

    def write(self, batch: Batch, logits: TtaLogits) -> None:
        """Average the probabilities of all scales, and write labels and probabilities of a batch."""
        logits = batch.without_context(logits)
        if self._classes is not None:
            self._write_classes(batch, logits, self._classes)
            return
        of_scales, mean = self._probabilities_of(logits, _on_scan_grid)
        self._labels[batch.kept] = mean > self.threshold
        self.agreement.add(of_scales, mean)
        if len(logits.maps) > 1:
            self.agreement.add_maps(logits.maps[-1], logits.maps[0])
        if self._probabilities is not None:
            self._probabilities[batch.kept] = mean
        self._write_squares(batch, logits, _unchanged)

    def _write_squares(
        self, batch: Batch, logits: TtaLogits, of_liver: Callable[[Logits], Logits]
    ) -> None:
        if self._squares is None:
            return
        side = self._squares.shape[-1]
        _, squares = self._probabilities_of(
            logits, lambda plan, maps: plan.to_squares(of_liver(maps), side)
        )
        self._squares[batch.kept] = squares > self.threshold

    def _probabilities_of(self, logits: TtaLogits, convert: Convert) -> tuple[list[Logits], Logits]:
        """Probabilities at each scale, and their mean, on the grid that the conversion gives."""
        first, *others = self.scales
        mean = convert(first.plan, logits.maps[-1])
        of_scales = [mean[logits.repeated]]
        for scale, scale_logits in zip(others, logits.others, strict=False):
            of_scales.append(convert(scale.plan, scale_logits))
        if len(of_scales) > 1:
            mean[logits.repeated] = np.mean(of_scales, axis=0)
        return of_scales, mean

    def _write_classes(
        self, batch: Batch, logits: TtaLogits, classes: npt.NDArray[np.uint8]
    ) -> None:
        """As `write`, for several classes: agreement and probabilities are those of the liver as an organ."""
        scheme, repeated = self._scheme, logits.repeated
        first, *others = self.scales
        mean = class_probabilities(first.plan, logits.maps[-1], scheme)
        of_scales = [mean[:, repeated]]
        for scale, scale_logits in zip(others, logits.others, strict=False):
            of_scales.append(class_probabilities(scale.plan, scale_logits, scheme))
        if len(of_scales) > 1:
            mean[:, repeated] = np.mean(of_scales, axis=0)
        found = label_map(mean, scheme, self.threshold)
        classes[batch.kept], self._labels[batch.kept] = found, scheme.liver_in(found)
        liver = liver_probability(mean, scheme)
        self.agreement.add([liver_probability(each, scheme) for each in of_scales], liver)
        if len(logits.maps) > 1:
            finest, coarser = (liver_logits(logits.maps[n], scheme) for n in (-1, 0))
            self.agreement.add_maps(finest, coarser)
        if self._probabilities is not None:
            self._probabilities[batch.kept] = liver
        self._write_squares(batch, logits, lambda maps: liver_logits(maps, scheme))


def _unchanged(logits: Logits) -> Logits:
    return logits


def _on_scan_grid(plan: SlicePlan, logits: Logits) -> Logits:
    return plan.to_probabilities(logits)


def stream(
    writer: SliceWriter, predict: Predict, batch_size: int | None, progress: Progress | None
) -> Agreement:
    """Segment all slices.

    While the network processes a batch, one thread computes the slices of the next and another writes the previous one.

    Args:
        writer: Computes slices, and writes their results.
        predict: Computes logits from slices at each TTA scale.
        batch_size: Slices per batch; None: chosen by their size.
        progress: Called after each batch.

    Returns:
        The agreement between scales and between maps.
    """
    total, done = len(writer.scales[0]), 0
    batches = plan_batches(writer.scales, batch_size)
    with ThreadPoolExecutor(2, thread_name_prefix="rma-mamba-slices") as threads:
        made = threads.submit(writer.images, batches[0])
        written: Future[None] | None = None
        for number, batch in enumerate(batches):
            images = made.result()
            if number + 1 < len(batches):
                made = threads.submit(writer.images, batches[number + 1])
            logits = predict(images)
            if written is not None:
                written.result()
            written = threads.submit(writer.write, batch, logits)
            done += batch.size
            if progress is not None:
                progress(done, total)
        if written is not None:
            written.result()
    return writer.agreement
