"""The classes that `data prepare` writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rma_mamba.cli.class_options import liver_of_classes
from rma_mamba.cli.data.opening import label_values

if TYPE_CHECKING:
    from rma_mamba.datasets.layouts import DatasetIndex

    ClassValues = dict[str, tuple[int, ...]]


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
        return opened(liver=liver), {"liver": label_values(liver), **classes}
    dataset = opened(liver=None)
    if all(case.classes.get("liver") for case in dataset.cases):
        return dataset, {"liver": (), **classes}
    return opened(liver=liver_of_classes(classes)), classes
