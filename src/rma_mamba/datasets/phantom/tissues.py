"""Tissues of the phantom."""

from __future__ import annotations

from enum import IntEnum


class Tissue(IntEnum):
    """Tissue of a voxel."""

    AIR = 0
    FAT = 1
    MUSCLE = 2
    BONE = 3
    MARROW = 4
    FLUID = 5
    LUNG = 6
    LIVER = 7
    LIVER_VESSEL = 8
    LESION = 9
    SPLEEN = 10
    CORTEX = 11
    MEDULLA = 12
    STOMACH = 13
    GAS = 14
    BOWEL = 15
    BLOOD = 16
    PANCREAS = 17


TISSUES = tuple(Tissue)
LIVER_TISSUES = (Tissue.LIVER, Tissue.LIVER_VESSEL, Tissue.LESION)
