"""Paths of the output files of a case, chosen and checked before the scan is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rma_mamba.conventions import NIFTI_SUFFIXES, SCAN_SUFFIXES, strip_suffix
from rma_mamba.errors import ConfigError
from rma_mamba.files import check_writable
from rma_mamba.pipeline.discovery import case_name
from rma_mamba.pipeline.joint_table import JOINT_TABLE, is_joint_table
from rma_mamba.pipeline.output_types import OUTPUT_TYPES, SELECTABLE
from rma_mamba.pipeline.overwriting import refuse_overwriting
from rma_mamba.scans.writers import mask_format


@dataclass(frozen=True)
class OutputPaths:
    """The files of one case, all in one folder.

    Args:
        files: By output type; the first one is the output path, if that is a file.
        run: run.json, in the folder of a case only.
    """

    files: dict[str, Path]
    run: Path | None = None

    @property
    def all_files(self) -> tuple[Path, ...]:
        """All files, and run.json."""
        return (*self.files.values(), *((self.run,) if self.run else ()))

    @property
    def folder(self) -> Path:
        """The folder of all files."""
        return next(iter(self.files.values())).parent


def plan_outputs(
    scan: Path,
    out: str | Path,
    outputs: tuple[str, ...] = (),
    *,
    case: str | None = None,
    others: Sequence[Path] = (),
) -> OutputPaths:
    """Name the files of one case, and check that they can be written. Nothing is written yet.

    A file name is used as it is, and the other files are written next to it: `liver_preview.png` next to
    `liver.nii.gz`. If the path is a folder, has no suffix or ends in a slash, the files are `<case>/liver.nii.gz`,
    `<case>/preview.png` and so on, and `<case>/run.json`, the record of the run.

    Args:
        scan: The scan.
        out: The output path as the user wrote it.
        outputs: Names of output types. Without a mask or a table: the mask, in the format of the output path.
        case: Name of the case, if `out` is the folder of a cohort; None: the output path decides.
        others: Further scans of the case.

    Raises:
        ConfigError: An output type is unknown, a file cannot be written, or it is the scan itself.
    """
    _check_known(outputs)
    with _path_errors():
        if case is not None or is_folder(out):
            paths = _in_folder(Path(out) / (case or case_name(scan)), outputs)
        else:
            paths = _next_to_file(Path(out), outputs)
        _check_files(paths, [scan, *others])
    return paths


def plan_outputs_beside(scan: Path, file: Path, outputs: tuple[str, ...]) -> OutputPaths:
    """Name files after another one and beside it: `a_seg.dcm` and `a_sr.dcm` beside `a.nii.gz`. Nothing is written yet.

    Args:
        scan: The scan.
        file: The other file.
        outputs: Names of output types; nothing else is written.

    Raises:
        ConfigError: As in `plan_outputs`.
    """
    _check_known(outputs)
    stem = strip_suffix(file.name, (*SCAN_SUFFIXES, ".seg.nrrd", file.suffix.lower()))
    with _path_errors():
        paths = OutputPaths(
            {name: file.with_name(stem + OUTPUT_TYPES[name].suffix) for name in outputs}
        )
        _check_files(paths, [scan])
    return paths


def _check_known(outputs: tuple[str, ...]) -> None:
    if unknown := [name for name in outputs if name not in OUTPUT_TYPES]:
        raise ConfigError(
            f"unknown output type '{unknown[0]}'; expected {', '.join(OUTPUT_TYPES)}. "
            "Choose from these."
        )


def _check_files(paths: OutputPaths, scans: Sequence[Path]) -> None:
    for path in paths.all_files:
        if any(_is_same_file(path.resolve(), each) for each in scans):
            raise ConfigError(
                "the output file is the scan itself; expected another file. Choose another name."
            )
        check_writable(path)
    refuse_overwriting(paths.all_files, scans, chosen_names=paths.run is None)


@contextmanager
def _path_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:  # a name that is too long, a folder without permission
        raise ConfigError(
            f"the output path cannot be used ({error.strerror or 'input/output error'}); expected a "
            "writable path. Choose another name or folder."
        ) from None


def check_cohort_outputs(
    scans: Mapping[str, Path],
    out: str | Path,
    outputs: tuple[str, ...],
    folder: Path | None = None,
) -> None:
    """Check that no file of a case would replace a file of the input, its own or another's.

    Args:
        scans: The scan of each case, by its name.
        out: Folder of the results.
        outputs: Names of output types.
        folder: The folder of the cohort, all of whose files are the input; None: the files of the cases are.

    Raises:
        ConfigError: A file of the input would be replaced.
        OSError: A folder cannot be read.
    """
    results, known = Path(out), tuple(name for name in outputs if name in OUTPUT_TYPES)
    planned = [path for name in scans for path in _in_folder(results / name, known).all_files]
    table = results / JOINT_TABLE
    if "csv" in known and not is_joint_table(table):
        planned.append(table)
    inputs = [*scans.values(), *([folder] if folder else [])]
    # a folder of its own inside the input may hold what is left of an interrupted run
    own_folder = folder is not None and folder.resolve() in results.resolve().parents
    refuse_overwriting(planned, inputs, chosen_names=own_folder)


def _is_same_file(path: Path, scan: Path) -> bool:
    return path.exists() and scan.exists() and path.samefile(scan)


def is_folder(out: str | Path) -> bool:
    """Whether an output path, as the user wrote it, is a folder of cases."""
    path = Path(out)
    return str(out).endswith(("/", os.sep)) or path.is_dir() or not path.suffix


def _in_folder(folder: Path, outputs: tuple[str, ...]) -> OutputPaths:
    if not any(name in SELECTABLE for name in outputs):
        outputs = ("nifti", *outputs)
    files = {name: folder / OUTPUT_TYPES[name].file_name for name in outputs}
    return OutputPaths(files, folder / "run.json")


def _next_to_file(out: Path, outputs: tuple[str, ...]) -> OutputPaths:
    listed = tuple(name for name in outputs if name in SELECTABLE) or (mask_format(out),)
    first = next((name for name in listed if OUTPUT_TYPES[name].accepts(out)), None)
    if first is None:
        suffixes = [suffix for name in listed for suffix in OUTPUT_TYPES[name].allowed_suffixes]
        raise ConfigError(
            f"the suffix of the output file is not that of the output type {' or '.join(listed)}; "
            f"expected {' or '.join(dict.fromkeys(suffixes))}. Choose a name with such a suffix, or a folder."
        )
    others = [name for name in dict.fromkeys((*listed, *outputs)) if name != first]
    stem = strip_suffix(out.name, (*NIFTI_SUFFIXES, out.suffix.lower()))
    return OutputPaths(
        {first: out} | {name: out.with_name(stem + OUTPUT_TYPES[name].suffix) for name in others}
    )
