"""Write the files of one case: all of them, or none."""

from __future__ import annotations

from rma_mamba.files import write_together
from rma_mamba.pipeline.case_result import CaseResult
from rma_mamba.pipeline.json_files import write_json_file
from rma_mamba.pipeline.output_paths import OutputPaths
from rma_mamba.pipeline.output_types import OUTPUT_TYPES
from rma_mamba.pipeline.provenance import with_files
from rma_mamba.scans.checks import require_source_images
from rma_mamba.volume import Volume


def check_scan_supports(paths: OutputPaths, scan: Volume) -> None:
    """Check that all outputs can be written for this scan.

    Raises:
        ConfigError: An output is a DICOM object, and the scan is not DICOM.
    """
    for name in paths.files:
        if OUTPUT_TYPES[name].dicom:
            require_source_images(scan.source_images, name)


def write_results(paths: OutputPaths, result: CaseResult) -> None:
    """Write all files of one case; after an error, existing files are unchanged.

    The probabilities are overwritten if the uncertainty is among the outputs.

    Raises:
        ScanError: A file cannot be written.
    """
    with write_together("results", last=paths.run) as staged:
        for name, output in OUTPUT_TYPES.items():
            if name in paths.files:
                result.files[name] = staged(paths.files[name])
                output.write(result, result.files[name])
        if paths.run is not None:
            record = staged(paths.run)
            write_json_file(record, with_files(result.run, record.parent), "run record")
