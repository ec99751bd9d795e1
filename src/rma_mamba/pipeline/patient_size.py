"""The patient's size as it is given, and what it says of a healthy liver."""

from __future__ import annotations

from rma_mamba.errors import ConfigError
from rma_mamba.reporting import Body
from rma_mamba.reporting.expected_volume import urata_ml, vauthey_ml


def body_of(height_cm: float | None, weight_kg: float | None) -> Body | None:
    """The patient's size; None if neither number is given.

    Raises:
        ConfigError: One is missing, or they are those of nobody.
    """
    if height_cm is None and weight_kg is None:
        return None
    if height_cm is None or weight_kg is None:
        raise ConfigError(
            "only one of height and weight is given; expected both or neither. "
            "Give --height-cm and --weight-kg."
        )
    return Body(height_cm, weight_kg)


def expected(body: Body) -> str:
    """The standard volumes in a line."""
    volumes = {"Vauthey": vauthey_ml(body), "Urata": urata_ml(body)}
    told = [f"{volume:.0f} mL ({name})" for name, volume in volumes.items() if volume is not None]
    return f"Standard volume: {', '.join(told)}"
