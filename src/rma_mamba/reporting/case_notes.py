"""What the reader of any output file must be told about a case: collected once, and written by every writer.

A new warning or flag reaches all outputs if it is among those of the scan, the mask or the quality: no writer selects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rma_mamba.mask_provenance import MaskRemarks
from rma_mamba.reporting.quality import Quality
from rma_mamba.volume import Modality, ModalitySource

_SEPARATOR = " | "  # between the sentences in a cell of a table


@dataclass(frozen=True)
class CaseNotes:
    """All remarks on a case.

    Args:
        modality: CT or MR.
        modality_source: Who decided that: the user, the header, or the intensities.
        quality: Flags and traffic light.
        warnings: About the scan, the mask and the measurements, each sentence once.
        removed_implausible_ml: Volume removed from the mask because it has the intensities of lung, gas, fat or bone.
    """

    modality: Modality
    modality_source: ModalitySource
    quality: Quality
    warnings: tuple[str, ...]
    removed_implausible_ml: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "warnings", tuple(dict.fromkeys(self.warnings)))

    @property
    def urgent(self) -> tuple[str, ...]:
        """Warnings, and the messages of red flags, each once: for the console."""
        red = (flag for flag in self.quality.flags if flag.severity == "red")
        messages = (flag.message for flag in red if flag.code != "no_liver")  # a warning says it
        return tuple(dict.fromkeys((*self.warnings, *messages)))

    @property
    def sentences(self) -> tuple[str, ...]:
        """Everything as text, each sentence once: light, modality, flags, warnings."""
        flags = {flag.message: f"{flag.severity}: {flag.message}" for flag in self.quality.flags}
        warnings = (text for text in self.warnings if text not in flags)  # a flag may repeat one
        modality = f"Modality: {self.modality} ({self.modality_source})."
        removed = f"Removed from the mask as lung, gas, fat or bone: {self.removed_implausible_ml:.1f} mL."
        corrections = (removed,) if self.removed_implausible_ml else ()
        return (f"Quality: {self.quality.line}", modality, *flags.values(), *warnings, *corrections)

    @property
    def remarks(self) -> MaskRemarks:
        """For DICOM objects, which travel with the mask."""
        flags = tuple((flag.code, flag.severity) for flag in self.quality.flags)
        return MaskRemarks(self.quality.light, flags, self.sentences)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "modality": self.modality,
            "modality_source": self.modality_source,
            "quality": self.quality.as_dict(),
            "warnings": list(self.warnings),
            "removed_implausible_ml": round(self.removed_implausible_ml, 3),
        }

    def as_row(self) -> dict[str, str]:
        """For a table: columns and their text."""
        dice = self.quality.estimated_dice
        return {
            "modality": self.modality,
            "modality_source": self.modality_source,
            "quality_light": self.quality.light,
            "quality_estimated_dice": "" if dice is None else f"{dice:.3f}",
            "quality_flags": _SEPARATOR.join(
                f"{flag.code}: {flag.message}" for flag in self.quality.flags
            ),
            "warnings": _SEPARATOR.join(self.warnings),
            "removed_implausible_ml": f"{self.removed_implausible_ml:.3f}",
        }
