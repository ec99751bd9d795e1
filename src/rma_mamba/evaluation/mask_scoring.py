"""Scoring of existing masks, written by any tool, against reference masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rma_mamba.errors import ConfigError, RmaMambaError
from rma_mamba.evaluation.case_scores import CaseName, CaseScore, score_case
from rma_mamba.evaluation.class_scores import empty_like, score_classes
from rma_mamba.evaluation.mask_pairs import Pair, Pairing
from rma_mamba.evaluation.masks import (
    LiverMask,
    check_same_grid,
    read_class_masks,
    read_liver_mask,
)
from rma_mamba.scans import read_geometry
from rma_mamba.scans.mask_reader import is_mask_object
from rma_mamba.volume import Geometry

SOURCE = "masks"  # source and group of cases that are scored from mask files


def score_pairs(
    pairing: Pairing,
    labels: Sequence[int] = (),
    prediction_labels: Sequence[int] | None = None,
    classes: Mapping[str, Sequence[int]] | None = None,
    scan: Geometry | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Iterator[CaseScore]:
    """Score all predictions of all methods.

    Args:
        pairing: References and their predictions.
        labels: Label values of the liver; none: every value above 0.
        prediction_labels: The same for predictions; None: as for references.
        classes: Label values of further classes by name, such as tumours, which are scored as well.
        scan: Grid of the scan of a single pair. None: DICOM objects are read on the grid of the first mask of the case
            that is a label map, or on that of the reference. An RT Structure Set has no grid of its own.
        progress: Called with (masks scored, total).
        warn: Called with a warning for each mask that contains labels, but not those of the liver.

    Raises:
        ScanError: A file cannot be read, or does not contain labels.
        GridError: A prediction is on a different grid than its reference.
    """
    if prediction_labels is None:
        prediction_labels = labels
    count = len(pairing.pairs)
    done, total = 0, count * len(pairing.extra)
    for number, pair in enumerate(pairing.pairs, 1):
        place = f"{number} of {count} by name"
        grid = scan or _grid_of(pair)
        reference = _read(pair.reference, labels, f"reference {place}", warn, grid)
        true = read_class_masks(pair.reference, classes, grid) if classes else {}
        for name, path in pair.predictions.items():
            bits = np.zeros_like(reference.bits)
            if path is not None:
                place_of = f"prediction {place}"
                found = _read(path, prediction_labels, place_of, warn, reference.geometry)
                bits = found.bits
            case = CaseName(name, SOURCE, SOURCE, pair.patient, pair.case)
            score = score_case(case, reference.bits, bits, reference.geometry)
            if classes:
                parts = empty_like(true)
                if path is not None:
                    parts = read_class_masks(path, classes, _target(path, reference.geometry))
                score = replace(score, classes=score_classes(true, parts, reference.geometry))
            yield score
            done += 1
            if progress is not None:
                progress(done, total)


def grid_of_scan(scan: Path | None, pairing: Pairing) -> Geometry | None:
    """The grid of the scan of a single reference.

    Raises:
        ConfigError: There are several references.
        ScanError, GridError: The scan cannot be read.
    """
    if scan is None:
        return None
    if len(pairing.pairs) > 1:
        raise ConfigError(
            f"a scan is given for {len(pairing.pairs)} references; expected one reference. Score each case alone, or "
            "convert the DICOM objects to NIfTI with `rma-mamba convert`."
        )
    return read_geometry(scan).in_canonical_order


def _grid_of(pair: Pair) -> Geometry | None:
    """The grid on which the DICOM objects of a case are read; None if there are none, or no label map."""
    files = [pair.reference, *(path for path in pair.predictions.values() if path is not None)]
    maps = [path for path in files if not is_mask_object(path)]
    if not maps or len(maps) == len(files):
        return None
    return read_geometry(maps[0]).in_canonical_order


def _target(path: Path, grid: Geometry | None) -> Geometry | None:
    """The grid for a file: label maps are compared with it, and not brought onto it."""
    return grid if is_mask_object(path) else None


def _read(
    path: Path,
    labels: Sequence[int],
    description: str,
    warn: Callable[[str], None] | None,
    grid: Geometry | None = None,
) -> LiverMask:
    """Read a mask; errors and warnings begin with its description, since file names may identify patients."""
    try:
        mask = read_liver_mask(path, labels, _target(path, grid))
        if grid is not None:
            check_same_grid(grid.in_canonical_order, mask.geometry)
    except RmaMambaError as error:
        raise type(error)(f"{description}: {error}") from error
    if warn is not None:
        for warning in mask.warnings if is_mask_object(path) else ():
            warn(f"{description}: {warning}")
    if mask.has_other_labels and warn is not None:
        expected = " or ".join(map(str, labels)) or "the liver"
        warn(f"{description} has labels, but none is {expected}: it counts as empty.")
    return mask
