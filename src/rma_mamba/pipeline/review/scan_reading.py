"""Which scan a mask was made on, and how it was read: part of the record of each version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from rma_mamba.pipeline.provenance import input_sha256, voxels_sha256
from rma_mamba.pipeline.request import ReadOptions
from rma_mamba.volume import Volume


@dataclass(frozen=True)
class ScanReading:
    """A scan as it was read.

    Args:
        input_sha256: SHA-256 of its files, as in `run.json`; None if it was not recorded.
        voxels_sha256: SHA-256 of its voxels and its grid; None if it was not recorded.
        series: DICOM series, as it was requested; None: the most suitable one.
        volume: Number of the volume of a 4-D scan; None if it has one.
        spacing_mm: Voxel spacing that was stated for images; None: that of the file.
    """

    input_sha256: str | None = None
    voxels_sha256: str | None = None
    series: str | None = None
    volume: int | None = None
    spacing_mm: tuple[float, ...] | None = None

    @classmethod
    def of_run(cls, run: Mapping[str, Any]) -> Self:
        """What `run.json` states; the defaults where it does not."""
        settings = run.get("settings") or run.get("reading")  # of a mask that was converted
        stated = settings if isinstance(settings, dict) else {}
        return cls.of_record({**run, **{key: stated.get(key) for key in _OPTIONS}})

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """What the record of a version states; the defaults where it does not."""
        files, voxels = (record.get(key) for key in ("input_sha256", "voxels_sha256"))
        series, volume, spacing = (record.get(key) for key in _OPTIONS)
        return cls(
            files if isinstance(files, str) else None,
            voxels if isinstance(voxels, str) else None,
            series=str(series) if series else None,
            volume=volume if isinstance(volume, int) else None,
            spacing_mm=tuple(map(float, spacing)) if isinstance(spacing, list) else None,
        )

    @classmethod
    def of_voxels(cls, scan: Volume) -> Self:
        """A scan that is known by its voxels alone."""
        return cls(voxels_sha256=voxels_sha256(scan))

    @property
    def options(self) -> ReadOptions:
        """How to read it again."""
        return ReadOptions(series=self.series, volume=self.volume, spacing_mm=self.spacing_mm)

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits that differ between scans, and between ways to read them."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def has_voxels_of(self, scan: Volume) -> bool:
        """Whether a scan has the voxels and the grid that were recorded."""
        return self.voxels_sha256 is not None and self.voxels_sha256 == voxels_sha256(scan)

    def has_files_of(self, path: Path) -> bool:
        """Whether the files of a scan are those that were recorded."""
        return self.input_sha256 is not None and self.input_sha256 == input_sha256(path)


_OPTIONS = ("series", "volume", "spacing_mm")
