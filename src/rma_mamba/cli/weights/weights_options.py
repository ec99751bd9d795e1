"""Options of the commands on weights."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Dtype(StrEnum):
    """Types of stored tensors."""

    float16 = "float16"
    float32 = "float32"


Output = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="PATH", help="Weights file to write (.safetensors)."),
]
StoredType = Annotated[Dtype, typer.Option("--dtype", help="Type of the stored tensors.")]
