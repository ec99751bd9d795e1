"""The demonstration with the real phantom and the real network, on coarse grids: the full ones take a minute."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rma_mamba.datasets.phantom import make_phantom, synthesis
from rma_mamba.inference import Segmenter
from rma_mamba.pipeline.demo_case import DemoResult, run_demo_case
from rma_mamba.scans import read_scan
from tiny import tiny_weights

COARSE = ((96, 96, 14), (3.8, 3.8, 15.5))


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phantoms with few voxels."""
    monkeypatch.setattr(synthesis, "_GRIDS", dict.fromkeys(synthesis._GRIDS, COARSE))


def test_the_demo_finds_the_true_volume_in_both_contrasts(command, tmp_path: Path) -> None:
    done = command("demo", "--output", tmp_path / "out")
    assert done.code == 0, done.err
    heading, mr, ct, last = done.out.splitlines()
    assert heading.split() == ["contrast", "true", "mL", "measured", "mL", "difference"]
    assert last == f"Scans, masks and previews are in {tmp_path / 'out'}/"
    for row, label, contrast in ((mr, "MR-like", "mr_t2"), (ct, "CT-like", "ct")):
        truth = make_phantom(0, contrast=contrast)
        name, true_ml, measured_ml, difference = row.split()
        assert (name, true_ml) == (label, f"{truth.mask.volume_ml:.0f}")
        expected = 100 * (float(measured_ml) / float(true_ml) - 1)
        assert abs(float(difference.removesuffix("%")) - expected) < 0.11  # mL are rounded
        scan = read_scan(tmp_path / "out" / f"{contrast}.nii.gz")
        mask = read_scan(tmp_path / "out" / f"{contrast}_liver.nii.gz")
        assert np.array_equal(scan.values, truth.volume.values)
        assert mask.geometry.matches(truth.volume.geometry)
        with Image.open(tmp_path / "out" / f"{contrast}_liver_preview.png") as preview:
            assert min(preview.size) > 200


def test_the_demo_fails_if_a_volume_is_wrong(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untrained = Segmenter.load(tiny_weights(tmp_path / "tiny.safetensors"), device="cpu")
    monkeypatch.setattr(Segmenter, "load", lambda: untrained)
    done = command("demo", "--output", tmp_path / "out")
    assert done.code == 1
    assert "expected at most 10%" in done.err
    assert done.err.count("\n") == 1


def test_a_demo_case_reports_the_volume_of_the_mask_that_it_writes(tmp_path: Path) -> None:
    untrained = Segmenter.load(tiny_weights(tmp_path / "tiny.safetensors"), device="cpu")
    steps: list[tuple[int, int]] = []
    result = run_demo_case(untrained, "ct", tmp_path, progress=lambda *counts: steps.append(counts))
    mask = read_scan(tmp_path / "ct_liver.nii.gz")
    voxel_ml = np.prod(mask.geometry.spacing_mm) / 1000
    assert result.measured_ml == pytest.approx(np.count_nonzero(mask.values) * voxel_ml)
    assert steps[-1][0] == steps[-1][1]


def test_the_relative_error_has_a_sign() -> None:
    assert DemoResult(1000.0, 900.0).relative_error == pytest.approx(-0.1)
