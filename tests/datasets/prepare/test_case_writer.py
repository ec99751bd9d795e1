"""The files of a case: intensities, labels and PNG slices."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layouts import (
    SHAPE,
    scan,
    write_chaos,
    write_folders,
    write_lits,
)
from prepared import prepared, table
from rma_mamba.datasets.prepare import MANIFEST, PreparationOptions
from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.scans import read_scan


def test_volumes_keep_their_intensities_in_lps_order(tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = prepared("chaos", write_chaos(tmp_path / "in"), out)
    assert manifest.complete
    for case in manifest.cases:
        image, label = (
            read_scan(out / case.place / kind / f"{case.stem}.nii") for kind in ("images", "labels")
        )
        assert image.geometry.orientation == "LPS"
        assert label.geometry.matches(image.geometry)
        seed = 10 * int(case.patient) if case.dataset == "chaos-mr" else 50 + int(case.patient)
        values, liver = scan(seed)
        shift = {"T1 out of phase": 40, "T2": 80}.get(case.sequence, 0)
        assert np.array_equal(image.values, values + shift)
        assert np.array_equal(label.values, liver)
        assert case.slices == SHAPE[2]
        assert case.slices_with_liver == liver.any(axis=(0, 1)).sum()
        assert case.spacing_mm == (2.0, 2.0, 6.0)
        assert len(case.image_sha256) == len(case.label_sha256) == 64
        assert (case.low, case.high) == (-160, 240) or case.modality == "MR"
    assert {case.dataset: case.modality for case in manifest.cases} == {
        "chaos-mr": "MR",
        "chaos-ct": "CT",
    }


def test_png_files_show_the_window_in_the_manifest(tmp_path: Path) -> None:
    out = tmp_path / "out"
    choices = PreparationOptions(png=True, ct_window_hu=(100, 700))
    manifest = prepared("lits", write_lits(tmp_path / "in"), out, choices)
    case = manifest.cases[0]
    assert (case.low, case.high, case.modality) == (100, 700, "CT")
    assert table(out).recipe.ct_window_hu == (100, 700)
    values, liver = scan(0)
    for k in range(SHAPE[2]):
        name = f"{case.stem}_z{k:04d}.png"
        grey = np.asarray(Image.open(out / case.place / "png_images" / name)).T
        mask = np.asarray(Image.open(out / case.place / "png_labels" / name)).T
        assert np.array_equal(mask, 255 * liver[:, :, k])
        expected = 255 * (np.clip(values[:, :, k], 100, 700) - 100.0) / 600
        assert np.abs(grey - expected).max() <= 0.51
    with pytest.raises(ConfigError, match="--window-hu"):
        prepared("lits", tmp_path / "in", tmp_path / "b", PreparationOptions(ct_window_hu=(5, 5)))


def test_a_full_disk_leaves_no_incomplete_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out, fsync = write_folders(tmp_path / "in", 2), tmp_path / "out", os.fsync

    def full(descriptor: int) -> None:
        if os.fstat(descriptor).st_size > 10_000:  # images and labels, not the manifest
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ScanError, match="No space left"):
        prepared("folders", root, out)
    assert [path.name for path in out.rglob("*") if path.is_file()] == [MANIFEST]
    monkeypatch.undo()
    assert prepared("folders", root, out).complete
    assert len(list(out.rglob("*.nii"))) == 4
