"""A list of the cases behind a training, by which it can be told whether another one had the same data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rma_mamba.datasets.cache import Arrays, cached, fingerprint
from rma_mamba.datasets.cases import Case, case_files, label_file
from rma_mamba.datasets.config import DataConfig, Side
from rma_mamba.files import file_sha256


def data_manifest(config: DataConfig, cases: Mapping[Side, Sequence[Case]]) -> list[dict[str, Any]]:
    """One entry for each case: source, patient's number, side, slices, and SHA-256 of its files.

    Phantoms have no files. Names and folders of files are left out. With `data.cache` a file is read once.

    Args:
        config: Where the files are.
        cases: What was read of each side.

    Raises:
        ConfigError: A file has gone since it was read.
    """
    return [entry for side, found in cases.items() for entry in _side(config, side, found)]


def _side(config: DataConfig, side: Side, cases: Sequence[Case]) -> Iterator[dict[str, Any]]:
    files = {
        (source.name, patient): (paths, [label_file(config, source, path) for path in paths])
        for source in config.sources
        for patient, paths in case_files(config, source, side).items()
    }
    for case in cases:
        images, labels = files.get((case.source, case.patient), ([], []))
        yield {
            "source": case.source,
            "patient": case.patient,
            "side": side,
            "slices": len(case.labels),
            "slices_with_liver": int(case.labels.any(axis=(1, 2)).sum()),
            "image_sha256": _digests(config.cache, images),
            "label_sha256": _digests(config.cache, labels),
        }


def _digests(cache: str | None, paths: list[Path]) -> list[str]:
    if not paths:
        return []
    folders = [str(path.parent.absolute()) for path in paths]  # images and labels have one name
    key = {"sha256": fingerprint(paths), "folders": folders}
    digests = cached(cache, key, partial(_read, paths))["sha256"]
    return [bytes(each).hex() for each in digests]


def _read(paths: list[Path]) -> Arrays:
    return {
        "sha256": np.array([list(bytes.fromhex(file_sha256(path))) for path in paths], np.uint8)
    }
