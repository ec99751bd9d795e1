"""The structures of a mask as DICOM objects describe them: name, code and colour of each class.

Source: DICOM PS3.16 CID 7150 and 7192 (categories and types of segments); colours of 3D Slicer's terminology.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.sr.coding import Code

from rma_mamba.conventions import LIVER_RGB
from rma_mamba.scans.dicom_objects import ANATOMICAL_STRUCTURE, LIVER
from rma_mamba.volume import Mask


@dataclass(frozen=True)
class Structure:
    """A class as DICOM describes it.

    Args:
        name: Label of the segment or region of interest.
        kind: Its type.
        category: Category of that type.
        rgb: Recommended display colour.
        interpreted_type: RT ROI interpreted type: ORGAN or GTV.
    """

    name: str
    kind: Code
    category: Code = ANATOMICAL_STRUCTURE
    rgb: tuple[int, int, int] = LIVER_RGB
    interpreted_type: str = "ORGAN"


_ALTERED = Code("49755003", "SCT", "Morphologically Abnormal Structure")
_TISSUE = Code("85756007", "SCT", "Body tissue structure")
_MASS_RGB = (144, 238, 144)
_MASS = Code("4147007", "SCT", "Mass")
_LIVER_STRUCTURE = Structure("Liver", LIVER)

_KNOWN: dict[str, tuple[Code, tuple[int, int, int]]] = {
    "spleen": (Code("78961009", "SCT", "Spleen"), (157, 108, 162)),
    "kidney": (Code("64033007", "SCT", "Kidney"), (185, 102, 83)),
    "pancreas": (Code("15776009", "SCT", "Pancreas"), (249, 180, 111)),
    "gallbladder": (Code("28231008", "SCT", "Gallbladder"), (139, 150, 98)),
    "stomach": (Code("69695003", "SCT", "Stomach"), (216, 132, 105)),
    "aorta": (Code("15825003", "SCT", "Aorta"), (224, 97, 76)),
    "portal-vein": (Code("32764006", "SCT", "Portal vein"), (0, 151, 206)),
    "hepatic-vein": (Code("8993003", "SCT", "Hepatic vein"), (0, 151, 206)),
}
_TUMOURS = {"tumour", "tumor", "lesion", "cancer", "mass", "metastasis", "metastases", "hcc"}
# Colours of classes that have none, in turn.
_COLOURS = ((128, 174, 128), (241, 214, 145), (177, 122, 101), (111, 184, 210), (216, 101, 79))


def structures_of(mask: Mask) -> Iterator[tuple[Structure, npt.NDArray[np.uint8]]]:
    """Each structure of a mask and where it is: the liver, or every class, with the regions inside it."""
    if mask.classes is None:
        yield _LIVER_STRUCTURE, mask.labels
        return
    scheme = mask.classes.scheme
    for number, name in enumerate(scheme.names):
        where = scheme.in_class(mask.classes.values, name)
        yield structure_of(name, number), where.view(np.uint8)


def structure_of(name: str, number: int) -> Structure:
    """A class by its name; its number chooses the colour of an unknown one."""
    key = name.lower().replace("_", "-").removesuffix("s")
    shown = name[:1].upper() + name[1:].replace("_", " ")
    if key == "liver":
        return _LIVER_STRUCTURE
    if key in _TUMOURS or f"{key}s" in _TUMOURS:
        return Structure(shown, _MASS, _ALTERED, _MASS_RGB, "GTV")
    if key in _KNOWN:
        code, rgb = _KNOWN[key]
        return Structure(shown, code, rgb=rgb)
    return Structure(shown, _TISSUE, rgb=_COLOURS[number % len(_COLOURS)])
