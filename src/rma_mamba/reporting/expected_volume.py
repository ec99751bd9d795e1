"""Standard liver volume: the expected volume of a healthy liver for a patient of a given size.

Sources: Vauthey et al., Liver Transplantation 2002, 8:233 (Western adults); Urata et al., Hepatology 1995,
21:1317 (Japanese adults and children); both as in table 1 of PMC6422720; body surface area: Mosteller, N Engl J Med
1987, 317:1098, and Du Bois and Du Bois, Arch Intern Med 1916, 17:863.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rma_mamba.errors import ConfigError

CAVEAT = (
    "Standard liver volumes are means of healthy livers in certain populations, with a spread of several "
    "hundred mL; they are less accurate in cirrhosis, obesity and other populations, and are not reference limits."
)

_HEIGHTS_CM = (40.0, 250.0)
_WEIGHTS_KG = (2.0, 400.0)


@dataclass(frozen=True)
class PatientSize:
    """Height and weight of the patient.

    Raises:
        ConfigError: A value is implausible, for example because it is in metres or pounds.
    """

    height_cm: float
    weight_kg: float

    def __post_init__(self) -> None:
        _check("height", self.height_cm, _HEIGHTS_CM, "cm")
        _check("weight", self.weight_kg, _WEIGHTS_KG, "kg")

    @property
    def surface_mosteller_m2(self) -> float:
        """sqrt(height x weight / 3600)."""
        return math.sqrt(self.height_cm * self.weight_kg / 3600)

    @property
    def surface_du_bois_m2(self) -> float:
        """0.007184 x weight^0.425 x height^0.725."""
        return 0.007184 * math.pow(self.weight_kg, 0.425) * math.pow(self.height_cm, 0.725)


def vauthey_ml(size: PatientSize) -> float | None:
    """-794.41 + 1267.28 x body surface area (Mosteller); None if that is not positive, as in small children."""
    volume = -794.41 + 1267.28 * size.surface_mosteller_m2
    return volume if volume > 0 else None


def urata_ml(size: PatientSize) -> float:
    """706.2 x body surface area (Du Bois) + 2.4."""
    return 706.2 * size.surface_du_bois_m2 + 2.4


def _check(what: str, value: float, plausible: tuple[float, float], unit: str) -> None:
    low, high = plausible
    if not low <= value <= high:
        raise ConfigError(
            f"the {what} is {value:g} {unit}; expected {low:g} to {high:g} {unit}. "
            f"Enter the {what} in {unit}."
        )
