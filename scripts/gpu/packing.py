"""A pack: training and validation slices, initial weights and wheels in one folder that fits the transfer limit."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from libraries import NEEDED

Grey = npt.NDArray[np.uint8]
SIDE = 192  # pixels: crop of the recipe
_MIB = 2**20
_ZERO = np.uint8(0)
_FEW = 8  # slices
_WIDE_MM = 6.0
_PYTHON = ("--python-version", "3.12", "--implementation", "cp")
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


@dataclass(frozen=True)
class PackedCase:
    """Slices of one patient, as in `rma_mamba.datasets.cases.Case`, and whether it is for validation."""

    images: Grey
    labels: Grey
    source: str
    patient: str
    ordered: bool
    weight: float
    gap_mm: float | None
    hounsfield: bool
    validation: bool


def write_pack(
    folder: Path, recipe_name: str, overrides: Sequence[str], limit_mib: float, *, wheels: bool
) -> dict[str, Any]:
    """Collect the training and validation cases of a recipe; test cases are left out.

    If the cases do not fit the limit, slices are left out evenly in all training cases until they do.

    Returns:
        What the pack contains, and its size.
    """
    from rma_mamba.datasets.cases import phantom_cases, read_cases
    from rma_mamba.datasets.source_files import SourceFiles
    from rma_mamba.models.weights import embedded_weights
    from rma_mamba.training import load_recipe

    recipe = load_recipe(recipe_name, overrides)
    folder.mkdir(parents=True, exist_ok=True)
    if wheels:
        _download_wheels(folder / "wheels")
    files = SourceFiles(recipe.data)
    cases = [_packed(each, validation=False) for each in read_cases(files, "train")]
    cases += [_packed(each, validation=False) for each in phantom_cases(recipe.data)]
    cases += [_packed(each, validation=True) for each in read_cases(files, "val")]
    with embedded_weights() as weights:
        (folder / "initial.safetensors").write_bytes(weights.read_bytes())
    (folder / "recipe.json").write_text(recipe.model_dump_json(indent=1))
    spare = limit_mib * _MIB - sum(each.stat().st_size for each in folder.rglob("*.*"))
    step, content = 1.0, encode(cases)
    while len(content) > spare:
        step *= len(content) / spare * 1.02
        content = encode([_thinned(each, step) for each in cases])
    (folder / "cases.zip").write_bytes(content)
    size = sum(each.stat().st_size for each in folder.rglob("*.*")) / _MIB
    return {
        "training cases": sum(not each.validation for each in cases),
        "validation cases": sum(each.validation for each in cases),
        "slices kept": f"{100 / step:.0f} %",
        "MiB": round(size, 1),
    }


def encode(cases: Sequence[PackedCase]) -> bytes:
    """Cases as a zip archive: differences of adjacent pixels, which compress well, and labels as bits."""
    stream = io.BytesIO()
    described = []
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for number, case in enumerate(cases):
            archive.writestr(
                f"{number}.images", np.diff(case.images, axis=2, prepend=_ZERO).tobytes()
            )
            archive.writestr(f"{number}.labels", np.packbits(case.labels > 0).tobytes())
            fields = {k: v for k, v in vars(case).items() if k not in ("images", "labels")}
            described.append({**fields, "shape": case.images.shape})
        archive.writestr("cases.json", json.dumps(described))
    return stream.getvalue()


def decode(content: bytes) -> list[PackedCase]:
    """The inverse of `encode`."""
    cases = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for number, fields in enumerate(json.loads(archive.read("cases.json"))):
            shape = tuple(fields.pop("shape"))
            steps = np.frombuffer(archive.read(f"{number}.images"), np.uint8).reshape(shape)
            bits = np.frombuffer(archive.read(f"{number}.labels"), np.uint8)
            labels = np.unpackbits(bits, count=steps.size).reshape(shape)
            images = np.cumsum(steps, axis=2, dtype=np.uint8)
            cases.append(PackedCase(images=images, labels=labels, **fields))
    return cases


def _packed(case: Any, *, validation: bool) -> PackedCase:
    return PackedCase(
        images=_cropped(case.images),
        labels=_cropped(case.labels & 1),
        source=case.source,
        patient=case.patient,
        ordered=case.ordered,
        weight=case.weight,
        gap_mm=case.gap_mm,
        hounsfield=case.hounsfield,
        validation=validation,
    )


def _cropped(slices: Grey) -> Grey:
    """The central square; smaller slices are padded with 0."""
    for axis in (1, 2):
        size = slices.shape[axis]
        before = (SIDE - size) // 2
        if before >= 0:
            width = [(0, 0)] * 3
            width[axis] = (before, SIDE - size - before)
            slices = np.pad(slices, width)
        else:
            slices = np.take(slices, range(-before, SIDE - before), axis)
    return np.ascontiguousarray(slices)


def _thinned(case: PackedCase, step: float) -> PackedCase:
    """A training case with every `step`-th slice; validation, few or widely spaced slices stay as they are."""
    count = len(case.images)
    if case.validation or count < _FEW or (case.gap_mm or 0.0) > _WIDE_MM:
        return case
    kept = np.unique(np.floor(np.arange(0, count, step)).astype(int))
    gap = case.gap_mm * step if case.gap_mm else None
    fields = {**vars(case), "images": case.images[kept], "labels": case.labels[kept], "gap_mm": gap}
    return PackedCase(**fields)


def _download_wheels(folder: Path) -> None:
    platforms = [option for each in _PLATFORMS for option in ("--platform", each)]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--only-binary=:all:",
        "--no-deps",
    ]
    versions = [f"{name}=={_installed(name)}" for name in NEEDED]
    subprocess.run([*command, *_PYTHON, *platforms, "-d", str(folder), *versions], check=True)


def _installed(name: str) -> str:
    from importlib.metadata import version

    return version(name)
