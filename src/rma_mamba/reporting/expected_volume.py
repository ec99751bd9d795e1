"""How large a healthy liver is expected to be in a body of this size.

Sources: Vauthey et al., Liver Transplantation 2002, 8:233 (Western adults); Urata et al., Hepatology 1995,
21:1317 (Japanese adults and children); both as in table 1 of PMC6422720; body surface: Mosteller, N Engl J Med
1987, 317:1098, and Du Bois and Du Bois, Arch Intern Med 1916, 17:863.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rma_mamba.errors import ConfigError

CAVEAT = (
    "The standard liver volumes are means of healthy livers in certain populations, with a spread of some "
    "hundred mL; they hold less for cirrhosis, obesity and other populations, and are no limits of health."
)

_HEIGHTS_CM = (40.0, 250.0)
_WEIGHTS_KG = (2.0, 400.0)


@dataclass(frozen=True)
class Body:
    """Height and weight of a person.

    Raises:
        ConfigError: They are those of nobody (metres for centimetres, pounds).
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


def vauthey_ml(body: Body) -> float | None:
    """-794.41 + 1267.28 x surface (Mosteller); None where that is not positive: small children."""
    volume = -794.41 + 1267.28 * body.surface_mosteller_m2
    return volume if volume > 0 else None


def urata_ml(body: Body) -> float:
    """706.2 x surface (Du Bois) + 2.4."""
    return 706.2 * body.surface_du_bois_m2 + 2.4


def _check(what: str, value: float, limits: tuple[float, float], unit: str) -> None:
    low, high = limits
    if not low <= value <= high:
        raise ConfigError(
            f"the {what} is {value:g} {unit}; expected {low:g} to {high:g} {unit}. "
            f"Give the {what} in {unit}."
        )
