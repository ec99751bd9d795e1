"""The classes that a mask of a case may contain, as a viewer draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rma_mamba.conventions import LIVER_RGB
from rma_mamba.pipeline.review.corrected_mask import scheme_of_case


def mask_labels(case: Path) -> list[dict[str, Any]]:
    """Name, colour and values of each class of the network that segmented a case.

    Args:
        case: The folder of the case.

    Returns:
        For each class its value in a mask, its name, its colour (#rrggbb), the values that belong to it (its own, and
        those of the regions inside it), and the value left where it is erased: that of the class around it, or 0.
    """
    scheme = scheme_of_case(case)
    if scheme.is_liver_only:
        return [_label(1, "Liver", LIVER_RGB, (1,), 0)]
    from rma_mamba.scans.dicom_structures import structure_of  # loads pydicom

    labels = []
    for number, name in enumerate(scheme.names):
        structure = structure_of(name, number)
        around = scheme.inside.get(name)
        under = 0 if around is None else 1 + scheme.names.index(around)
        parts = scheme.values_of(name)
        labels.append(_label(number + 1, structure.name, structure.rgb, parts, under))
    return labels


def _label(
    value: int, name: str, rgb: tuple[int, int, int], parts: tuple[int, ...], under: int
) -> dict[str, Any]:
    colour = "#{:02x}{:02x}{:02x}".format(*rgb)
    return {"value": value, "name": name, "color": colour, "parts": list(parts), "under": under}
