"""run.json: input, network and settings of a run, and whether its results are complete, without patient names."""

from __future__ import annotations

import hashlib
import json
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rma_mamba.conventions import software_version
from rma_mamba.deprecation import with_old_fields
from rma_mamba.files import file_sha256
from rma_mamba.reporting.quality import LIGHTS, Light
from rma_mamba.scans.scan_files import scan_files

if TYPE_CHECKING:
    from rma_mamba.inference import Segmentation, Segmenter
    from rma_mamba.pipeline.discovery import Case
    from rma_mamba.pipeline.request import SegmentRequest
    from rma_mamba.reporting.case_notes import CaseNotes
    from rma_mamba.volume import Volume

_AFFINE_DECIMALS = 4
_LIBRARIES = ("rma-mamba", "torch", "onnxruntime", "numpy", "numba", "scipy", "nibabel", "pydicom")
# Two runs with the same values of these fields give the same mask.
_MASK_DETERMINED_BY = ("input_sha256", "weights_sha256", "settings", "rma_mamba")


def describe_run(case: Case, request: SegmentRequest, segmenter: Segmenter) -> dict[str, Any]:
    """Fields of run.json that are known before the network runs."""
    recipe = segmenter.recipe.model_dump(mode="json")
    return {
        "rma_mamba": software_version(),
        "input_sha256": case_sha256(case),
        "weights_sha256": segmenter.weights_sha256,
        "model": Path(request.network.model).name,  # a path may contain a person's name
        "settings": {**request.settings(case.volume), **_channels(case), "recipe": recipe},
        "device": str(segmenter.device),
        "runtime": segmenter.runtime,
        "versions": {"python": platform.python_version(), **_versions()},
    }


def describe_result(result: Segmentation, notes: CaseNotes) -> dict[str, Any]:
    """Fields of run.json that are known afterwards."""
    agreements = {name: round(value, 4) for name, value in result.uncertainty.agreements.items()}
    return {
        **notes.as_dict(),
        "agreements": with_old_fields(agreements, {"tta": "looks"}),
        "evidence": result.evidence.as_dict(),
    }


def with_files(run: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The run record with the names and SHA-256 of the files in `folder`."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {**run, "files": {path.name: file_sha256(path) for path in files}}


def is_complete(record: Path, run: dict[str, Any], requested: list[Path]) -> bool:
    """Whether an earlier run with the same settings wrote all `requested` files, and its files are unchanged.

    Args:
        record: Path of run.json.
        run: The run as described by `describe_run`.
        requested: Paths of the files that this run would write.
    """
    try:
        before = json.loads(record.read_text(encoding="utf-8"))
        files = before["files"]
        now = json.loads(json.dumps(run))  # tuples become lists
        return (
            all(before[key] == now[key] for key in _MASK_DETERMINED_BY)
            and {path.name for path in requested} <= set(files)
            and all(file_sha256(record.with_name(name)) == sha for name, sha in files.items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # missing or corrupt
        return False


def recorded_light(record: Path) -> Light | None:
    """The traffic light in a run record; None if it has none."""
    try:
        light = json.loads(record.read_text(encoding="utf-8"))["quality"]["light"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return light if light in LIGHTS else None


def case_sha256(case: Case) -> str:
    """SHA-256 of the scan of a case; of several channels, of their names with the digest of each."""
    if not case.channels:
        return input_sha256(case.scan)
    lines = [f"{each.name} {input_sha256(each.scan)}" for each in case.channels]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _channels(case: Case) -> dict[str, Any]:
    """The channels of a case, each with its DICOM series if that was chosen; nothing for a single scan."""
    return {"channels": {each.name: each.series for each in case.channels}} if case.channels else {}


def input_sha256(scan: Path) -> str:
    """SHA-256 of a file; for several files, SHA-256 of their sorted digests, independent of their names."""
    files = scan_files(scan)
    if files == [scan]:
        return file_sha256(scan)
    found = sorted(file_sha256(path) for path in files)
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def voxels_sha256(scan: Volume) -> str:
    """SHA-256 of the voxels and the grid of a scan as it was read.

    It tells the series and volumes of one input apart, and does not change with files that are added to a study. Of
    several channels, it is that of the first.
    """
    affine = np.round(scan.geometry.affine, _AFFINE_DECIMALS) + 0.0  # no negative zeros
    digest = hashlib.sha256(repr((scan.geometry.shape, affine.tolist())).encode())
    for k in range(scan.geometry.shape[2]):
        digest.update(np.asfortranarray(scan.values[:, :, k], "<f4").T.data)
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        with suppress(
            metadata.PackageNotFoundError
        ):  # with one runtime, those of the other are not needed
            found[name] = metadata.version(name)
    return found
