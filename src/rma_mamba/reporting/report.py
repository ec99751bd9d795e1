"""The content of a report on one case: title, quality, measurements and provenance.

`report_html` and `report_pdf` write the files. Neither contains the case name, a path or a date. The patient's name and
ID and the accession number are on it only if that was requested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rma_mamba.conventions import SOFTWARE_NAME
from rma_mamba.reporting.case_notes import CaseNotes
from rma_mamba.reporting.measure import FACES
from rma_mamba.reporting.quality import Flag, Light
from rma_mamba.volume import Mask, Volume

DISCLAIMER = "Research software, not a medical device."

_UNITS = {
    "ml": "mL",
    "mm": "mm",
    "mm2": "mm²",
    "cm2": "cm²",
    "hu": "HU",
    "percent": "%",
    "bits": "bits",
    "au": "a.u.",
}
_WORDS = {
    "sha256": "SHA-256",
    "sd": "SD",
    "vauthey": "Vauthey",
    "urata": "Urata",
    "ct": "CT",
    "mr": "MR",
    "tta": "TTA",
}
# Measurements whose labels read better in a different word order.
_LABELS = {
    **{
        f"{quantity}_{axis}_mm": f"{label}, {axis.replace('_', ' ')} (mm)"
        for quantity, label in (("extent", "Extent"), ("voxel", "Voxel size"))
        for axis in ("right_to_left", "anterior_to_posterior", "inferior_to_superior")
    },
    **{
        f"cut_{face}_mm2": f"Area cut off by the {face} edge (mm²)"
        for pair in FACES
        for face in pair
    },
    "intensity_mean_hu": "Mean intensity (HU)",
    "intensity_mean_au": "Mean intensity (a.u.)",
    "nodularity_fine_mm": "Nodularity, fine smoothing (mm)",
    "nodularity_coarse_mm": "Nodularity, coarse smoothing (mm)",
    "standard_volume_vauthey_ml": "Standard volume, Vauthey (mL)",
    "standard_volume_urata_ml": "Standard volume, Urata (mL)",
    "volume_to_vauthey_ratio": "Volume / standard volume, Vauthey",
    "volume_to_urata_ratio": "Volume / standard volume, Urata",
    "touches_border": "Reaches the edge of the scan",
    "removed_implausible_ml": "Removed as lung, gas, fat or bone (mL)",
}
_VERDICTS: dict[Light, str] = {
    "green": "No quality problems found. Still review the mask.",
    "yellow": "Review the mask closely before using the measurements.",
    "red": "Do not use the measurements: the mask or the scan's header is not reliable.",
}
_NOT_PROVENANCE = ("rma_mamba", "agreements", "evidence", "files")

Rows = list[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Report:
    """The content of a report.

    Args:
        volume: The scan, as `Segmentation.scan`, so that its modality is known.
        mask: Its mask.
        notes: Modality, quality and warnings.
        statistics: Measurements by name, which ends in the unit; all of them are listed.
        run: Provenance, as in run.json.
        identity: Patient and accession number by name; empty unless requested.
    """

    volume: Volume
    mask: Mask
    notes: CaseNotes
    statistics: Mapping[str, Any]
    run: Mapping[str, Any]
    identity: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """The liver volume."""
        return f"Liver {self.mask.volume_ml:,.0f} mL" if self.mask.volume_ml else "No liver found"

    @property
    def modality(self) -> str:
        """CT or MR, and whether that was detected."""
        detected = " (detected)" if self.notes.modality_source == "detected" else ""
        return f"{self.notes.modality}{detected}"

    @property
    def software(self) -> str:
        """Name and version of the software that made the mask."""
        return f"{SOFTWARE_NAME} {self.run.get('rma_mamba', '')}".strip()

    @property
    def light(self) -> Light:
        """Green, yellow or red."""
        return self.notes.quality.light

    @property
    def verdict(self) -> str:
        """What the light means, and the estimated Dice."""
        dice = self.notes.quality.estimated_dice
        return _VERDICTS[self.light] + ("" if dice is None else f" Estimated Dice {dice:.2f}.")

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The quality problems."""
        return self.notes.quality.flags

    @property
    def warnings(self) -> list[str]:
        """Warnings, without those that repeat a flag."""
        repeated = {flag.message for flag in self.flags}
        return [text for text in self.notes.warnings if text not in repeated]

    @cached_property
    def measurements(self) -> Rows:
        """All measurements with their units."""
        listed = {
            **self.statistics,
            "removed_implausible_ml": self.notes.removed_implausible_ml or None,
        }
        return list(_rows(listed))

    @cached_property
    def provenance(self) -> Rows:
        """Input, network, settings and versions."""
        elsewhere = {*_NOT_PROVENANCE, *self.notes.as_dict()}
        listed = {key: value for key, value in self.run.items() if key not in elsewhere}
        if versions := listed.get("versions"):
            listed["versions"] = [f"{name} {number}" for name, number in versions.items()]
        return list(_rows(listed))


def label_and_unit(name: str) -> tuple[str, str]:
    """Label and unit of a measurement: ("Volume", "mL") for "volume_ml"; the unit is empty if there is none."""
    label = _LABELS.get(name) or _name(name)
    text, _, unit = label.removesuffix(")").rpartition(" (")
    return (text, unit) if text and label.endswith(")") else (label, "")


def _rows(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{prefix}, {_name(key, inside=True)}" if prefix else _LABELS.get(key) or _name(key)
        if isinstance(value, Mapping):
            yield from _rows(value, name)
        elif value is not None:
            yield name, _text(value)


def _name(key: str, *, inside: bool = False) -> str:
    """The label of a key: "Volume (mL)" for "volume_ml"."""
    words = str(key).split("_")
    unit = _UNITS.get(words[-1]) if len(words) > 1 else None
    name = " ".join(_WORDS.get(word, word) for word in (words[:-1] if unit else words))
    first = name[:1] if inside else name[:1].upper()
    return f"{first}{name[1:]}" + (f" ({unit})" if unit else "")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        digits = 1 if abs(value) >= 10 else 3
        return f"{value:,.{digits}f}".rstrip("0").rstrip(".")
    if isinstance(value, list | tuple):
        return " · ".join(_text(each) for each in value) if value else "none"
    return str(value)
