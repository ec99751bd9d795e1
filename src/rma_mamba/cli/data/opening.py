"""Opening the dataset that the arguments of a command describe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rma_mamba.cli.channel_options import parse_channels
from rma_mamba.errors import ConfigError

if TYPE_CHECKING:
    from rma_mamba.datasets.layouts import DatasetIndex


def open_dataset(
    name: str,
    root: Path,
    sequences: list[str] | None,
    liver: str | None,
    patient: str | None,
    channels: list[str] | None = None,
    *,
    resample: bool = False,
) -> DatasetIndex:
    """Open the dataset that the arguments describe."""
    from rma_mamba.datasets import layouts

    values = label_values(liver)
    if resample and not channels:
        raise ConfigError(
            "--resample is set without channels; expected --channel for each of them. Add them, or omit --resample."
        )
    options = layouts.LayoutOptions(values, patient, parse_channels(channels), resample)
    return layouts.open_dataset(name, root, options, sequences or ())


def label_values(liver: str | None) -> tuple[int, ...]:
    """Label values of `--liver`, such as 1,2; empty if it is omitted."""
    try:
        return tuple(int(each) for each in (liver or "").split(",") if each)
    except ValueError:
        raise ConfigError(
            f"--liver is '{liver}'; expected label values such as 1 or 1,2. Correct it."
        ) from None
