"""The patient's height and weight, and the standard liver volumes for them."""

from __future__ import annotations

from rma_mamba.errors import ConfigError
from rma_mamba.reporting import PatientSize
from rma_mamba.reporting.expected_volume import urata_ml, vauthey_ml


def patient_size(height_cm: float | None, weight_kg: float | None) -> PatientSize | None:
    """The patient's size; None if neither value is set.

    Raises:
        ConfigError: Only one value is set, or a value is impossible.
    """
    if height_cm is None and weight_kg is None:
        return None
    if height_cm is None or weight_kg is None:
        raise ConfigError(
            "only one of height and weight is set; expected both or neither. "
            "Set --height-cm and --weight-kg."
        )
    return PatientSize(height_cm, weight_kg)


def standard_volumes_line(size: PatientSize) -> str:
    """Standard liver volumes, on one line."""
    volumes = {"Vauthey": vauthey_ml(size), "Urata": urata_ml(size)}
    parts = [f"{volume:.0f} mL ({name})" for name, volume in volumes.items() if volume is not None]
    return f"Standard liver volume: {', '.join(parts)}"
