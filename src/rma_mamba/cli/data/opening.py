"""Opening the dataset that the arguments of a command describe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rma_mamba.cli.channel_options import parse_channels
from rma_mamba.cli.class_options import liver_of_classes
from rma_mamba.errors import ConfigError

if TYPE_CHECKING:
    from rma_mamba.datasets.layouts import DatasetIndex

    ClassValues = dict[str, tuple[int, ...]]


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

    values = _label_values(liver)
    if resample and not channels:
        raise ConfigError(
            "--resample is set without channels; expected --channel for each of them. Add them, or omit --resample."
        )
    options = layouts.LayoutOptions(values, patient, parse_channels(channels), resample)
    return layouts.open_dataset(name, root, options, sequences or ())


def with_liver(
    opened: Callable[..., DatasetIndex], classes: ClassValues, liver: str | None
) -> tuple[DatasetIndex, ClassValues]:
    """The dataset, and the classes to be prepared: the liver too if none of them is, and its values are known.

    Args:
        opened: Opens the dataset, given `liver`.
        classes: Label values by name of the class, as requested; none: as the dataset names them.
        liver: Label values of the liver, as requested.
    """
    if not classes or "liver" in classes:
        return opened(liver=liver or liver_of_classes(classes)), classes
    if liver:
        return opened(liver=liver), {"liver": _label_values(liver), **classes}
    dataset = opened(liver=None)
    if all(case.classes.get("liver") for case in dataset.cases):
        return dataset, {"liver": (), **classes}
    return opened(liver=liver_of_classes(classes)), classes


def _label_values(liver: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in (liver or "").split(",") if each)
    except ValueError:
        raise ConfigError(
            f"--liver is '{liver}'; expected label values such as 1 or 1,2. Correct it."
        ) from None
