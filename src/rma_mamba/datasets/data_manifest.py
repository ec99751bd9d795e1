"""The data manifest of a training run: which cases it used, with digests, so that runs can be compared."""

from __future__ import annotations

import hashlib
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
from rma_mamba.errors import ConfigError
from rma_mamba.files import file_sha256

_DIGITS = 16  # of a digest in weights files


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


def manifest_digests(manifest: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[str]]]:
    """Split to source to one short digest per case, sorted: says which files were used, without patient IDs.

    A digest is the first 16 hexadecimal digits of the SHA-256 of the case's file digests (images, then labels), one a
    line. Phantoms, which have no files, are left out.
    """
    digests: dict[str, dict[str, list[str]]] = {}
    for record in manifest:
        files = [*record["image_sha256"], *record["label_sha256"]]
        if files and "split" in record:
            digest = hashlib.sha256("\n".join(files).encode()).hexdigest()[:_DIGITS]
            digests.setdefault(record["split"], {}).setdefault(record["source"], []).append(digest)
    return {
        split: {source: sorted(found) for source, found in sources.items()}
        for split, sources in digests.items()
    }


def check_same_data(
    before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]], run: str
) -> None:
    """Check that a training run continues with the data that it started with.

    Args:
        before: Its manifest, from `data_manifest`.
        now: The manifest of the data that were read now.
        run: Name of the run, for the error message.

    Raises:
        ConfigError: A case was added, removed or changed.
    """
    if not all("split" in record for record in before):
        return  # of rma-mamba 0.1
    old, new = ({_identity(record): record for record in each} for each in (before, now))
    kinds = {
        "removed": [key for key in old if key not in new],
        "added": [key for key in new if key not in old],
        "changed": [key for key in old if key in new and _digest(old[key]) != _digest(new[key])],
    }
    if any(kinds.values()):
        found = "; ".join(_listed(kind, keys) for kind, keys in kinds.items() if keys)
        raise ConfigError(
            f"the data differ from those of the training run in {run} ({found}); expected the same data with --resume. "
            "Restore the data, or start a new run in another folder."
        )


def _identity(record: Mapping[str, Any]) -> tuple[str, str, str]:
    return record["source"], record["patient"], record["split"]


def _digest(record: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    return record["image_sha256"], record["label_sha256"]


def _listed(kind: str, keys: Sequence[tuple[str, str, str]]) -> str:
    source, patient, split = keys[0]
    more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
    return f"{kind}: source {source}, patient {patient} ({split}){more}"


def _records(files: SourceFiles, split: Split, cases: Sequence[Case]) -> Iterator[dict[str, Any]]:
    pairs = {
        (source.name, patient): (
            files.files_of(source, images),
            [files.label(source, path) for path in images],
        )
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
            **_missing_channels(files, case),
        }


def _missing_channels(files: SourceFiles, case: Case) -> dict[str, list[str]]:
    """Which channels a case lacks; nothing if it has all."""
    pairs = zip(files.config.recipe.channel_names, case.present, strict=True)
    missing = [name for name, present in pairs if not present]
    return {"missing_channels": missing} if missing else {}


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
