"""Masks of results as versions of a case: that of `segment`, and DICOM objects and label maps of any tool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.files import file_sha256
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.pipeline.json_files import read_json
from rma_mamba.pipeline.review.corrected_mask import scheme_of_case, scheme_of_run
from rma_mamba.pipeline.review.mask_versions import MaskVersion, MaskVersions
from rma_mamba.pipeline.review.result_folders import Result
from rma_mamba.pipeline.review.scan_reading import ScanReading
from rma_mamba.scans.earlier_results import RUN_RECORD
from rma_mamba.scans.mask_content import MaskContent
from rma_mamba.scans.mask_reader import read_mask_content
from rma_mamba.volume import ClassMap, Mask, Volume


def adopt_result(result: Result, scan: Callable[[], Volume]) -> MaskVersion:
    """Make the mask of a result a version, unless it is the last one that was adopted.

    Args:
        result: The result.
        scan: Reads its scan, on whose voxels the mask must be; not called if the mask is known to be.

    Raises:
        ScanError, GridError: The mask or the scan cannot be read, or they do not belong together.
    """
    versions = MaskVersions(result.folder)
    if result.is_on_grid and (found := adopt_as_it_is(result)):
        return found
    digest = file_sha256(result.mask) if result.mask.is_file() else None
    known = versions.last_adopted
    if known is not None and digest is not None and known.source_sha256 == digest:
        return known
    volume = scan()
    return _adopt(versions, result, read_result(result, volume), digest, volume)


def import_mask(case: Path, path: Path, scan: Volume) -> MaskVersion:
    """Make a mask of any format, which a person has chosen, the newest version of a case.

    Args:
        case: The folder of the case.
        path: The file.
        scan: Its scan.

    Raises:
        ScanError, GridError: The mask cannot be read, or is not one of this scan.
    """
    read, versions = read_any_mask(path, scan, scheme_of_case(case)), MaskVersions(case)
    newest = versions.newest
    return versions.add(
        read.mask,
        parent=newest.version if newest else None,
        kind=read.made.kind,
        author=read.made.creator,
        note=read.note,
        tool=tool_name(read.made),
        made=_record(read.made),
        scan=(newest.scan if newest else None) or ScanReading.of_voxels(scan),
    )


@dataclass(frozen=True, eq=False)
class ReadResult:
    """A mask that was read, on the grid of its scan.

    Args:
        mask: The mask, with its classes if the case has several.
        made: How it was made.
        note: What a reader must know of the file; "" if there is nothing.
    """

    mask: Mask
    made: MaskProvenance
    note: str = ""


def read_result(result: Result, scan: Volume) -> ReadResult:
    """Read the mask of a result on the grid of its scan.

    Raises:
        ScanError: It cannot be read, or has several structures, none of which is the liver.
        GridError: It is not on the voxels of the scan, or in another frame of reference.
    """
    scheme = scheme_of_run(read_json(result.folder / RUN_RECORD) if result.is_own else {})
    return read_any_mask(result.mask, scan, scheme, _recorded(_run_of(result)))


def read_any_mask(
    path: Path, scan: Volume, scheme: LabelScheme, made: MaskProvenance | None = None
) -> ReadResult:
    """Read a mask of any format on the grid of a scan, as a mask with the classes of a case.

    Args:
        path: The file.
        scan: The scan.
        scheme: The classes of the case.
        made: How the mask was made, if that is recorded elsewhere; None: as the file states it.

    Raises:
        ScanError, GridError: As in `read_result`.
    """
    content = read_mask_content(path, scan)
    stated, remarks = content.provenance, content.warnings
    if made is not None:  # the run has recorded its own warnings
        stated, remarks = replace(made, creator=made.creator or stated.creator), ()
    if scheme.is_liver_only:
        liver, note = _liver(content)
        return ReadResult(_mask(liver, scan), stated, " ".join((*remarks, *note)))
    bits = scheme.join([content.where(scheme.values_of(name)) for name in scheme.names])
    values = scheme.map_of(bits)
    mask = _mask(scheme.liver_in(values), scan, ClassMap(values, scheme))
    return ReadResult(mask, stated, " ".join(remarks))


def tool_name(made: MaskProvenance) -> str:
    """The program that has made a mask, for a list of versions."""
    named = " ".join(each for each in (made.algorithm, made.version) if each)
    return named or ("by hand" if made.kind == "manual" else "not stated")


def provenance_of(record: Mapping[str, Any] | None) -> MaskProvenance | None:
    """What the record of a version states of how its mask was made; None if nothing."""
    if record is None:
        return None
    return MaskProvenance(
        algorithm=record.get("algorithm"),
        version=record.get("version"),
        weights_sha256=record.get("weights_sha256"),
    )


def _record(made: MaskProvenance) -> dict[str, str | None]:
    found = {"algorithm": made.algorithm, "version": made.version}
    return {**found, "weights_sha256": made.weights_sha256}


def adopt_as_it_is(result: Result) -> MaskVersion | None:
    """Make a mask that lies on the voxels of its scan a version, without reading either."""
    run = _run_of(result)
    made = _recorded(run) or MaskProvenance(algorithm=None)  # changed by another program since
    return MaskVersions(result.folder).adopt_result(
        kind=made.kind, tool=tool_name(made), made=_made(made, run)
    )


def _liver(content: MaskContent) -> tuple[Any, tuple[str, ...]]:
    """The liver, and what was left out.

    Raises:
        ScanError: There are several structures, none of which is the liver.
    """
    count, livers = len(content.structures), sum(each.is_liver for each in content.structures)
    if count > 1 and not livers:
        numbers = ", ".join(str(each.number) for each in content.structures[:8])
        raise ScanError(
            f"the mask has {count} structures (numbers {numbers}), none of which is the liver by code or name; "
            "expected the liver. Select one with `rma-mamba convert --label NUMBER`."
        )
    left = count - livers if livers else 0
    words = f"{left} other structure{'s' * (left > 1)} of the mask file {'are' if left > 1 else 'is'} not shown."
    return content.liver(), (words,) if left else ()


def _mask(liver: Any, scan: Volume, classes: ClassMap | None = None) -> Mask:
    return Mask(liver.astype("uint8"), scan.geometry, scan.header, classes=classes)


def _adopt(
    versions: MaskVersions, result: Result, read: ReadResult, digest: str | None, scan: Volume
) -> MaskVersion:
    run = read_json(result.folder / RUN_RECORD) if result.is_own else {}
    return versions.adopt_mask(
        read.mask,
        result.mask,
        run,
        kind=read.made.kind,
        author=read.made.creator,
        note=read.note,
        tool=tool_name(read.made),
        source_sha256=digest,
        made=_made(read.made, _run_of(result)),
        scan=_reading(run, scan),
    )


def _reading(run: Mapping[str, Any], scan: Volume) -> ScanReading:
    """The scan on which a mask was read, with the options of its run if that has read the same one."""
    stated, found = ScanReading.of_run(run), ScanReading.of_voxels(scan)
    is_same = stated.voxels_sha256 in (None, found.voxels_sha256)
    return replace(stated, voxels_sha256=found.voxels_sha256) if run and is_same else found


def _run_of(result: Result) -> dict[str, Any]:
    """The `run.json` that records the mask of a result as it is now; empty if there is none."""
    run = read_json(result.folder / RUN_RECORD) if result.is_own and result.mask.is_file() else {}
    files = run.get("files") or {}
    return run if run and files.get(result.mask.name) == file_sha256(result.mask) else {}


def _made(made: MaskProvenance, run: Mapping[str, Any]) -> dict[str, str | None] | None:
    """What the record of a version keeps; None for the mask of a run, of which `run.json` states more."""
    return None if run and not run.get("made") else _record(made)


def _recorded(run: Mapping[str, Any]) -> MaskProvenance | None:
    """How the mask of a run was made; None if there is no run."""
    weights, made = run.get("weights_sha256"), run.get("made") or {}
    with suppress(ConfigError):  # of another version
        if made:  # it was converted
            kind, algorithm = made.get("kind", "automatic"), made.get("algorithm")
            return MaskProvenance(kind, None, algorithm, made.get("version"), weights)
        if run:
            return MaskProvenance(version=run.get("rma_mamba"), weights_sha256=weights)
    return None
