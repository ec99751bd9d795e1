"""run.json: what exactly ran on a case. It names no patient, and tells whether a case is finished."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rma_mamba.files import file_sha256

if TYPE_CHECKING:
    from rma_mamba.inference import Segmentation, Segmenter
    from rma_mamba.pipeline.request import Request

_LIBRARIES = ("rma-mamba", "torch", "numpy", "numba", "scipy", "nibabel", "pydicom")
# Equal in these, two runs give the same mask.
_SAME = ("input_sha256", "weights_sha256", "settings", "rma_mamba")


def describe_run(scan: Path, request: Request, segmenter: Segmenter) -> dict[str, Any]:
    """What is known of a run before it."""
    return {
        "rma_mamba": metadata.version("rma-mamba"),
        "input_sha256": input_sha256(scan),
        "weights_sha256": segmenter.weights_sha256,
        "model": Path(request.network.model).name,  # a path may name a person
        "settings": {**request.settings, "recipe": segmenter.recipe.model_dump(mode="json")},
        "device": str(segmenter.device),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def describe_result(result: Segmentation) -> dict[str, Any]:
    """What is known of it afterwards."""
    return {
        "modality": result.modality,
        "warnings": list(result.warnings),
        "quality": result.quality.as_dict(),
        "agreements": {
            name: round(value, 4) for name, value in result.uncertainty.agreements.items()
        },
    }


def with_files(run: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The run with the names and SHA-256 of the files that it left in `folder`."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {**run, "files": {path.name: file_sha256(path) for path in files}}


def is_finished(record: Path, run: dict[str, Any], wanted: list[Path]) -> bool:
    """Whether the same run was done, and its files, all of those that are wanted now, are as it left them."""
    try:
        before = json.loads(record.read_text(encoding="utf-8"))
        files = before["files"]
        now = json.loads(json.dumps(run))  # tuples are lists there
        return (
            all(before[key] == now[key] for key in _SAME)
            and {path.name for path in wanted} <= set(files)
            and all(file_sha256(record.with_name(name)) == sha for name, sha in files.items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # missing, or not ours
        return False


def input_sha256(scan: Path) -> str:
    """Of a file, its SHA-256; of a folder, that of the sorted SHA-256 of all its files, whatever their names."""
    if scan.is_dir():
        found = sorted(file_sha256(path) for path in scan.rglob("*") if path.is_file())
        return hashlib.sha256("\n".join(found).encode()).hexdigest()
    pair = [*scan.parent.glob(f"{_stem(scan)}.hdr*"), *scan.parent.glob(f"{_stem(scan)}.img*")]
    if scan in pair and len(pair) > 1:
        found = sorted(file_sha256(path) for path in pair)
        return hashlib.sha256("\n".join(found).encode()).hexdigest()
    return file_sha256(scan)


def _stem(scan: Path) -> str:
    """The name without ending, its wildcards made harmless."""
    name = scan.name.removesuffix(".gz").rpartition(".")[0]
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in _LIBRARIES}
