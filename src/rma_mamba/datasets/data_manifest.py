"""The data manifest of a training run: which cases it used, with digests, so that runs can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rma_mamba.datasets.cache import Arrays, cached, fingerprint
from rma_mamba.datasets.cases import Case
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import Split
from rma_mamba.deprecation import with_old_fields
from rma_mamba.files import file_sha256


def data_manifest(
    files: SourceFiles, cases: Mapping[Split, Sequence[Case]]
) -> list[dict[str, Any]]:
    """One record per case: source, patient ID, split, slice counts, and SHA-256 of its image and label files.

    Phantoms have no files. Names and folders of files are left out. With `data.cache` each file is hashed once.

    Args:
        files: The files that the cases were read from.
        cases: The cases of each split.

    Raises:
        ConfigError: A label file no longer exists.
    """
    return [
        with_old_fields(record, {"split": "side"})
        for split, found in cases.items()
        for record in _records(files, split, found)
    ]


def _records(files: SourceFiles, split: Split, cases: Sequence[Case]) -> Iterator[dict[str, Any]]:
    pairs = {
        (source.name, patient): (images, [files.label(source, path) for path in images])
        for source in files.config.sources
        for patient, images in files.images(source, split).items()
    }
    for case in cases:
        images, labels = pairs.get((case.source, case.patient), ([], []))
        yield {
            "source": case.source,
            "patient": case.patient,
            "split": split,
            "slices": len(case.labels),
            "slices_with_liver": int(case.labels.any(axis=(1, 2)).sum()),
            "image_sha256": _digests(files.config.cache, images),
            "label_sha256": _digests(files.config.cache, labels),
        }


def _digests(cache: str | None, paths: list[Path]) -> list[str]:
    if not paths:
        return []
    folders = [str(path.parent.absolute()) for path in paths]  # an image and its label share a name
    key = {"sha256": fingerprint(paths), "folders": folders}
    digests = cached(cache, key, partial(_hashed, paths))["sha256"]
    return [bytes(each).hex() for each in digests]


def _hashed(paths: list[Path]) -> Arrays:
    digests = [list(bytes.fromhex(file_sha256(path))) for path in paths]
    return {"sha256": np.array(digests, np.uint8)}
