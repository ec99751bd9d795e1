"""What worker processes do for the server. Arguments and results are small; scans and masks are files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rma_mamba.pipeline.cached_segmenter import cached_segmenter
from rma_mamba.pipeline.case import segment_case
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.isolated_process import Progress
from rma_mamba.pipeline.request import NetworkOptions, SegmentRequest
from rma_mamba.pipeline.review.adopted_masks import adopt_result
from rma_mamba.pipeline.review.displayed_scan import write_displayed_scan
from rma_mamba.pipeline.review.mask_examiner import examine_version
from rma_mamba.pipeline.review.mask_versions import MaskVersions, version_record
from rma_mamba.pipeline.review.result_folders import Result
from rma_mamba.server import (
    case_search,
    result_search,
    review_tasks,
    series_search,
    upload_search,
)
from rma_mamba.server.case_reading import read_case_scan, reading_options

if TYPE_CHECKING:
    from rma_mamba.volume import Volume

# The files of a case: those that the viewer shows, named as `segment` names them.
OUTPUTS = ("nifti", "uncertainty", "preview", "statistics")


def warm_up(report: Progress, *, network: dict[str, Any]) -> dict[str, Any]:
    """Load the network; the next scan starts at once."""
    return {"weights_sha256": cached_segmenter(NetworkOptions(**network)).weights_sha256}


def segment(
    report: Progress,
    *,
    case: dict[str, Any],
    out: str,
    shown: str,
    network: dict[str, Any],
) -> dict[str, Any]:
    """Segment a scan, and write its results to the folder of the case."""
    report("reading")
    request = SegmentRequest(NetworkOptions(**network), reading_options(case), OUTPUTS)

    scans: list[Volume] = []

    def show(volume: Volume) -> None:
        write_displayed_scan(volume, Path(shown))
        scans.append(volume)
        report("segmenting")

    def progress(done: int, total: int) -> None:
        report("measuring" if done == total else "segmenting", done, total)

    source = Case(Path(case["scan"]), case["name"], case["volume"])
    completed = segment_case(
        source,
        out,
        request,
        segmenter=cached_segmenter(request.network),
        progress=progress,
        on_scan=show,
    )
    report("writing")
    folder = completed.files["nifti"].parent
    version = MaskVersions(folder).adopt_result()
    if version is not None:
        examine_version(folder, version, scans[0])
    return {"volume_ml": completed.volume_ml, "warnings": list(completed.warnings)}


def show_scan(
    report: Progress, *, case: dict[str, Any], shown: str, version: int | None = None
) -> dict[str, Any]:
    """Write the scan of a version in the form that the viewer shows."""
    found = MaskVersions(Path(case["folder"])).find(version) if version else None
    return write_displayed_scan(read_case_scan(case, found), Path(shown))


def adopt(report: Progress, *, case: dict[str, Any]) -> dict[str, Any]:
    """Make the mask of a result a version, and examine it if its scan had to be read."""
    scans: list[Volume] = []

    def scan() -> Volume:
        scans.append(read_case_scan(case))
        return scans[-1]

    result = Result(case["name"], Path(case["folder"]), Path(case["mask"]))
    version = adopt_result(result, scan)
    if scans:
        examine_version(result.folder, version, scans[0])
    return version_record(version)


TASKS: dict[str, Callable[..., Any]] = {
    "warm_up": warm_up,
    "segment": segment,
    "list_cases": case_search.list_cases,
    "list_results": result_search.list_results,
    "list_series": series_search.list_series_of_case,
    "list_volumes": series_search.list_volumes,
    "list_upload": upload_search.list_upload,
    "show_scan": show_scan,
    "adopt": adopt,
    "save_version": review_tasks.save_version,
    "import_version": review_tasks.import_version,
    "examine": review_tasks.examine,
    "measure": review_tasks.measure,
    "examine_result": review_tasks.examine_result,
    "use_tool": review_tasks.use_tool,
    "export": review_tasks.export,
    "identify": review_tasks.identify,
}
