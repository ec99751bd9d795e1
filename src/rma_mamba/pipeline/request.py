"""What `rma-mamba segment` was asked for, as one value that workers can be given."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rma_mamba.volume import Modality

if TYPE_CHECKING:
    from rma_mamba.inference import Segmenter
    from rma_mamba.pipeline.discovery import Case
    from rma_mamba.reporting import Body
    from rma_mamba.volume import Volume


@dataclass(frozen=True)
class Network:
    """Which network runs, and how; fields as of `Segmenter.load`."""

    model: str = "default"
    device: str = "auto"
    batch_size: int | None = None
    fast: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"

    def load(self) -> Segmenter:
        """The network in memory; torch is imported only now."""
        from rma_mamba.inference import Segmenter

        return Segmenter.load(
            self.model,
            device=self.device,
            batch_size=self.batch_size,
            fast=self.fast,
            precision=self.precision,
        )


@dataclass(frozen=True)
class Reading:
    """How a scan is read; fields as of `read_scan`, and the modality if it was given.

    `frame` is also "all": each volume of a 4-D scan becomes a case.
    """

    series: str | None = None
    frame: int | Literal["all"] | None = None
    strict: bool = False
    spacing_mm: tuple[float, ...] | None = None
    modality: Modality | None = None

    def read(self, scan: Path) -> Volume:
        """The scan."""
        from rma_mamba.scans import read_scan

        return read_scan(
            scan,
            series=self.series,
            volume=None if self.frame == "all" else self.frame,
            strict=self.strict,
            spacing_mm=self.spacing_mm,
        )


@dataclass(frozen=True)
class Wanted:
    """Which files are written: masks and measurements by kind (none: as the output's name says), and others."""

    kinds: tuple[str, ...] = ()
    preview: bool = False
    statistics: bool = False
    probabilities: bool = False
    uncertainty: bool = False
    report: bool = False


@dataclass(frozen=True)
class Request:
    """All of it.

    Args:
        resume: Whether a case is skipped that was finished with the same input, weights and settings.
        body: The patient's size, if it was given; it is written nowhere.
    """

    network: Network = Network()
    reading: Reading = Reading()
    wanted: Wanted = Wanted()
    resume: bool = False
    body: Body | None = None

    def of(self, case: Case) -> Request:
        """What is asked for of one case: of a scan that was taken apart, its own volume."""
        if self.reading.frame != "all":
            return self
        return replace(self, reading=replace(self.reading, frame=case.frame))

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the mask, beside the input and the weights."""
        return {
            **asdict(self.reading),
            "fast": self.network.fast,
            "precision": self.network.precision,
        }
