"""Segment and measure scans from Python: what the command line does, for servers, Ray tasks and notebooks.

>>> from rma_mamba.pipeline import SegmentRequest, find_cases, measure_mask, segment_case, segment_cohort
>>> request = SegmentRequest(outputs=("nifti", "preview", "statistics"))

One scan, written to `scan/liver.nii.gz`, `scan/preview.png`, `scan/statistics.json` and `scan/run.json`:

>>> completed = segment_case("scan.nii.gz", "results/", request)
>>> print(completed.files["nifti"], completed.modality)
results/scan/liver.nii.gz MR

A folder of scans, as in `rma-mamba segment`; a scan that fails does not stop the others:

>>> failed = segment_cohort(find_cases("scans"), "results", request)
>>> [case.message for case in failed]
[]

A server keeps the network in memory:

>>> segmenter = request.network.load()
>>> completed = segment_case("scan.nii.gz", "liver.nii.gz", request, segmenter=segmenter)

Measure a mask made by any tool:

>>> measure_mask("liver.nii.gz", "scan.nii.gz").volume_ml == completed.volume_ml
True

Functions raise the errors of `rma_mamba.errors`; `exit_code_of` and `error_message` return the exit code and the
message of the command line for an error. Nothing is printed: pass a `Messages` to receive progress, notes and warnings.
Names are imported on first use, and torch when a network is loaded.
"""

from typing import TYPE_CHECKING

from rma_mamba.lazy_attributes import lazy_attributes

if TYPE_CHECKING:
    from rma_mamba.pipeline.case import CompletedCase, segment_case
    from rma_mamba.pipeline.cohort import FailedCase, run_sequentially, segment_cohort
    from rma_mamba.pipeline.discovery import Case, find_cases
    from rma_mamba.pipeline.exit_codes import ExitCode, error_message, exit_code_of
    from rma_mamba.pipeline.measuring import measure_mask
    from rma_mamba.pipeline.messages import Messages, NoMessages
    from rma_mamba.pipeline.output_types import OUTPUT_TYPES, OutputType
    from rma_mamba.pipeline.ray_engine import run_on_ray
    from rma_mamba.pipeline.request import NetworkOptions, ReadOptions, SegmentRequest

__all__ = [
    "OUTPUT_TYPES",
    "Case",
    "CompletedCase",
    "ExitCode",
    "FailedCase",
    "Messages",
    "NetworkOptions",
    "NoMessages",
    "OutputType",
    "ReadOptions",
    "SegmentRequest",
    "error_message",
    "exit_code_of",
    "find_cases",
    "measure_mask",
    "run_on_ray",
    "run_sequentially",
    "segment_case",
    "segment_cohort",
]

_MODULES = {
    "OUTPUT_TYPES": "output_types",
    "Case": "discovery",
    "CompletedCase": "case",
    "ExitCode": "exit_codes",
    "FailedCase": "cohort",
    "Messages": "messages",
    "NetworkOptions": "request",
    "NoMessages": "messages",
    "OutputType": "output_types",
    "ReadOptions": "request",
    "SegmentRequest": "request",
    "error_message": "exit_codes",
    "exit_code_of": "exit_codes",
    "find_cases": "discovery",
    "measure_mask": "measuring",
    "run_on_ray": "ray_engine",
    "run_sequentially": "cohort",
    "segment_case": "case",
    "segment_cohort": "cohort",
}

# Hidden from type checkers, which see the imports above.
if not TYPE_CHECKING:
    __getattr__ = lazy_attributes(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
