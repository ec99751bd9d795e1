"""A segmentation request: all settings in one picklable object, which can be sent to workers."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rma_mamba.deprecation import with_old_fields
from rma_mamba.errors import ConfigError, RmaMambaError
from rma_mamba.inference.runtimes import choose_runtime
from rma_mamba.volume import Modality

if TYPE_CHECKING:
    from rma_mamba.inference import Segmenter
    from rma_mamba.reporting import PatientSize
    from rma_mamba.volume import Volume


@dataclass(frozen=True)
class NetworkOptions:
    """The network and how it runs; fields as in `Segmenter.load`."""

    model: str = "default"
    device: str = "auto"
    batch_size: int | None = None
    fast: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"
    runtime: Literal["auto", "onnx", "torch"] = "auto"

    @contextmanager
    def loaded_ahead(self, segmenter: Segmenter | None = None) -> Iterator[Callable[[], Segmenter]]:
        """Load the network while the block reads a scan, if it is quick to load; the block gets a function for it.

        A network on ONNX Runtime takes half a second, most of it outside of Python. Torch takes seconds, so it is not
        loaded before the scan is known to be usable.

        Args:
            segmenter: A network in memory, for which nothing is loaded.
        """
        if segmenter is not None:
            yield lambda: segmenter
        elif not self._is_quick_to_load():
            yield self.load
        else:
            with ThreadPoolExecutor(1, thread_name_prefix="rma-mamba-network") as thread:
                loading = thread.submit(self.load)

                def loaded() -> Segmenter:
                    if not loading.done():
                        importlib.import_module(
                            "scipy.ndimage"
                        )  # needed for the mask, and not quick
                    return loading.result()

                yield loaded

    def _is_quick_to_load(self) -> bool:
        try:
            return choose_runtime(self.runtime, self.model, self.precision) == "onnx"
        except RmaMambaError:  # reported when it is loaded
            return False

    def load(self) -> Segmenter:
        """Load the network; torch is not imported before, and not at all with the runtime onnx."""
        from rma_mamba.inference import Segmenter

        return Segmenter.load(
            self.model,
            device=self.device,
            batch_size=self.batch_size,
            fast=self.fast,
            precision=self.precision,
            runtime=self.runtime,
        )


@dataclass(frozen=True)
class ReadOptions:
    """How scans are read: fields as in `read_scan`, and the modality if it is known.

    Args:
        volume: Number of the volume in a 4-D scan, from 1; "all" makes each volume a case.
        resample: Several channels: resample them to the grid of the first, instead of rejecting other grids.
    """

    series: str | None = None
    volume: int | Literal["all"] | None = None
    strict: bool = False
    spacing_mm: tuple[float, ...] | None = None
    modality: Modality | None = None
    resample: bool = False

    def read(self, scan: Path, volume: int | None = None, *, any_study: bool = False) -> Volume:
        """Read a scan. If each volume of a 4-D scan is a case, `volume` is the number of that volume.

        With `any_study`, as in a cohort, a second study of the patient is a warning, not an error.
        """
        from rma_mamba.scans import read_scan

        return read_scan(
            scan,
            series=self.series,
            volume=volume if self.volume == "all" else self.volume,
            strict=self.strict,
            any_study=any_study,
            spacing_mm=self.spacing_mm,
        )


@dataclass(frozen=True)
class SegmentRequest:
    """All settings of `segment_case` and `segment_cohort` except the scans and the output.

    Args:
        network: The network and its settings.
        reading: How scans are read.
        outputs: Names of output types, as in `rma_mamba.pipeline.output_types`: ("nifti", "preview"). Without a mask
            or a table among them, the mask is written in the format of the output path, else as NIfTI.
        resume: Skip cases that were completed with the same input, weights and settings.
        patient_size: The patient's height and weight, for standard liver volumes. They are not written to any file.
        identify: Print name and ID of the patient and the accession number on the report; DICOM scans only.

    Raises:
        ConfigError: `identify` is set, but no report is among the outputs.
    """

    network: NetworkOptions = NetworkOptions()
    reading: ReadOptions = ReadOptions()
    outputs: tuple[str, ...] = ()
    resume: bool = False
    patient_size: PatientSize | None = None
    identify: bool = False

    def __post_init__(self) -> None:
        if self.identify and not {"report_html", "report_pdf"} & {*self.outputs}:
            raise ConfigError(
                "the patient is to be identified, but no report is written; expected a report among the outputs. "
                "Add --report, or omit --identify."
            )

    def settings(self, volume: int | None = None) -> dict[str, Any]:
        """The settings that determine the mask, besides the input and the weights, for run.json.

        Args:
            volume: Number of the volume, for a case that is one volume of a 4-D scan.
        """
        reading = asdict(self.reading)
        if not self.reading.resample:
            del reading["resample"]
        if self.reading.volume == "all":
            reading["volume"] = volume
        return {
            **with_old_fields(reading, {"volume": "frame"}),
            "fast": self.network.fast,
            "precision": self.network.precision,
        }
