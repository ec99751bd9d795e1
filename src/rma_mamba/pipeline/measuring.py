"""The steps of `rma-mamba measure`: a mask is read, measured and tabled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rma_mamba.errors import ConfigError
from rma_mamba.files import write_together
from rma_mamba.pipeline.outputs import SOFTWARE, check_writable
from rma_mamba.reporting import Body, Quantities, quantify, write_csv, write_json
from rma_mamba.scans import read_scan
from rma_mamba.slicing import calibrated
from rma_mamba.volume import Mask, Modality


def read_mask(path: Path, labels: Sequence[int]) -> tuple[Mask, tuple[str, ...]]:
    """A mask of any tool, in canonical order of the axes, and what is doubtful about it."""
    from rma_mamba.evaluation.masks import read_liver_mask

    given = read_liver_mask(path, labels)
    unnamed = ("The mask has labels, but none of those that were named.",)
    mask = Mask(given.bits.view(np.uint8), given.geometry)
    return mask, (*given.warnings, *(unnamed if given.has_other_labels else ()))


def check_tables(json_file: Path | None, csv_file: Path | None) -> None:
    """See that the tables can be written, and end as such files do.

    Raises:
        ConfigError: They cannot, or do not.
    """
    for path, ending in ((json_file, ".json"), (csv_file, ".csv")):
        if path is None:
            continue
        if path.suffix.lower() != ending:
            raise ConfigError(
                f"the table's path does not end in {ending}; expected that. Give another name."
            )
        check_writable(path)


def measured(
    mask: Mask, scan: Path | None, modality: Modality | None, body: Body | None
) -> Quantities:
    """All that is measured, with the intensities of a scan if there is one."""
    if scan is None:
        return quantify(mask, body=body)
    volume = read_scan(scan)
    return quantify(mask, calibrated(volume, modality), body)


def write_tables(found: Quantities, json_file: Path | None, csv_file: Path | None) -> None:
    """Write the tables that were asked for: all or none."""
    with write_together("tables") as place:
        if json_file is not None:
            write_json(found, place(json_file), software=SOFTWARE)
        if csv_file is not None:
            write_csv(found, place(csv_file))
