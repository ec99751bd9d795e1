"""The classes of a prepared dataset: values in the original labels, and how classes lie inside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pydantic

from rma_mamba.datasets.layouts.index import IndexedCase
from rma_mamba.errors import ConfigError
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.labels import check_whole

Values = dict[str, tuple[int, ...]]


def class_values(case: IndexedCase, requested: Mapping[str, tuple[int, ...]]) -> Values:
    """Label values of the requested classes in a case: as requested, else as its layout names them.

    Raises:
        ConfigError: The layout does not name a class that was requested without values.
    """
    found = {name: values or case.classes.get(name, ()) for name, values in requested.items()}
    unknown = [name for name, values in found.items() if not values]
    if unknown:
        named = ", ".join(case.classes) or "none"
        raise ConfigError(
            f"the dataset names no values of the class '{unknown[0]}'; expected one of its classes ({named}), or "
            f"values. Pass them, such as --class {unknown[0]}=2."
        )
    return found


def scheme_of(cases: Sequence[Values]) -> LabelScheme:
    """The label scheme of classes: one whose values are some of those of another lies inside it.

    Raises:
        ConfigError: Two classes share values, but neither lies inside the other; cases differ; or a name is invalid.
    """
    schemes = {_scheme(values).model_dump_json() for values in cases}
    if len(schemes) > 1:
        raise ConfigError(
            "the classes lie inside each other in some cases but not in others; expected the same in all. Prepare the "
            "sequences one by one with --sequence."
        )
    return _scheme(cases[0])


def _scheme(values: Values) -> LabelScheme:
    sets = {name: frozenset(each) for name, each in values.items()}
    inside: dict[str, str] = {}
    for name, own in sets.items():
        others = {other: each for other, each in sets.items() if other != name and each & own}
        for other, each in others.items():
            if not (own < each or each < own):
                raise ConfigError(
                    f"the classes {name} and {other} share label values; expected different values, or those of one "
                    "to be some of the other's. Correct --class."
                )
        around = [other for other, each in others.items() if own < each]
        if around:
            inside[name] = min(around, key=lambda other: len(sets[other]))
    order = sorted(sets, key=lambda name: _depth(name, inside))
    try:
        return LabelScheme(names=tuple(order), inside={n: inside[n] for n in order if n in inside})
    except pydantic.ValidationError:
        raise ConfigError(
            f"the classes are {', '.join(sets)}; expected at most 8 different names of letters, digits, - and _. "
            "Correct --class."
        ) from None


def _depth(name: str, inside: Mapping[str, str]) -> int:
    return 1 + _depth(inside[name], inside) if name in inside else 0


def mapped_labels(
    values: npt.NDArray[np.generic], classes: Values, scheme: LabelScheme
) -> npt.NDArray[np.uint8]:
    """Original label values to a label map.

    Raises:
        ScanError: The values are not whole numbers.
    """
    check_whole(values)
    whole = values if values.dtype.kind in "iub" else np.rint(values)
    return scheme.map_of(scheme.join([np.isin(whole, classes[name]) for name in scheme.names]))
