"""The result of one case, from which every output file is written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rma_mamba.pipeline.provenance import describe_result
from rma_mamba.reporting import PatientSize, Quantities, measure, quantify
from rma_mamba.reporting.case_notes import CaseNotes
from rma_mamba.reporting.class_volumes import ClassVolume, class_volumes
from rma_mamba.reporting.expected_volume import CAVEAT
from rma_mamba.volume import Mask

if TYPE_CHECKING:
    from rma_mamba.inference import Segmentation


@dataclass(eq=False)
class CaseResult:
    """Everything that an output file can contain; the input of every writer.

    Args:
        segmentation: Mask, calibrated scan, quality and, on request, probabilities.
        run: The content of run.json, without the list of files.
        patient_size: For standard liver volumes.
        identity: Patient and accession number, for the report only; empty: the report identifies nobody.
        files: Temporary path of each output file by output type, for a file that refers to another one.
    """

    segmentation: Segmentation
    run: dict[str, Any]
    patient_size: PatientSize | None = None
    identity: tuple[tuple[str, str], ...] = ()
    files: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.run = {**self.run, **describe_result(self.segmentation, self.notes)}

    @cached_property
    def mask(self) -> Mask:
        """The mask, with what DICOM objects state of it: weights and settings, quality and warnings."""
        mask = self.segmentation.mask
        made = mask.provenance
        if made.kind == "automatic" and "settings" in self.run:
            # as in run.json, so that objects made later from it have the same identifiers
            weights = made.weights_sha256 or self.run.get("weights_sha256")
            made = replace(made, weights_sha256=weights, settings=self.run["settings"])
        return replace(mask, provenance=replace(made, remarks=self.notes.remarks))

    @cached_property
    def quantities(self) -> Quantities:
        """All measurements of the mask; computed once, and only if an output needs them."""
        return quantify(self.segmentation.mask, self.segmentation.scan, self.patient_size)

    @cached_property
    def class_volumes(self) -> tuple[ClassVolume, ...]:
        """Measurements of each class; empty for a network that segments the liver alone."""
        return class_volumes(self.segmentation.mask)

    @cached_property
    def notes(self) -> CaseNotes:
        """Everything that a reader must be told; the console and all writers take it from here."""
        result = self.segmentation
        caveats = (CAVEAT,) if self.patient_size else ()
        return CaseNotes(
            result.modality,
            result.scan.modality_source,
            result.quality,
            (*result.warnings, *measure(result.mask).warnings, *caveats),
            result.removed_implausible_ml,
        )
