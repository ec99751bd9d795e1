"""Small datasets prepared for training."""

from __future__ import annotations

import tomllib
from pathlib import Path

from rma_mamba.datasets.audit import audit
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.layouts import LayoutOptions, open_dataset
from rma_mamba.datasets.prepare import RECIPE_DATA, Manifest, PreparationOptions, prepare
from rma_mamba.datasets.source_files import SourceFiles

TINY = {"recipe": {"size": 32, "spacing_mm": 4.0}, "crop": 32}


def prepared(
    name: str, root: Path, out: Path, choices: PreparationOptions | None = None, **options: object
) -> Manifest:
    return prepare(audit(open_dataset(name, root, LayoutOptions(**options))), out, choices)  # type: ignore[arg-type]


def table(out: Path) -> DataConfig:
    content = tomllib.loads((out / RECIPE_DATA).read_text("utf-8"))["data"]
    recipe = {**content.get("recipe", {}), **TINY["recipe"]}
    return DataConfig.model_validate({**content, **TINY, "recipe": recipe})


def times(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in out.rglob("*.nii")}


def patients_by_split(config: DataConfig) -> dict[str, list[int]]:
    """Number of patients of each source in each split."""
    return {
        source.name: [
            len(SourceFiles(config).images(source, split)) for split in ("train", "val", "test")
        ]
        for source in config.sources
    }
