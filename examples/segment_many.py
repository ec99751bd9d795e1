"""Segment all NIfTI scans of a folder with one loaded network and write a table of volumes.

python examples/segment_many.py SCANS MASKS
"""

import csv
import sys
from pathlib import Path

import rma_mamba


def main(scans: Path, masks: Path) -> None:
    """Write a mask for each scan, and volumes.csv, to the folder `masks`."""
    segmenter = rma_mamba.Segmenter.load()
    masks.mkdir(parents=True, exist_ok=True)
    with (masks / "volumes.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["scan", "volume_ml", "warnings"])
        for path in sorted(scans.glob("*.nii*")):
            result = segmenter(rma_mamba.read_scan(path))
            rma_mamba.write_mask(result.mask, masks / path.name)
            found = rma_mamba.measure(result.mask)
            notes = dict.fromkeys((*result.warnings, *found.warnings))
            table.writerow([path.name, f"{found.volume_ml:.1f}", " ".join(notes)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
