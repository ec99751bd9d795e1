import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from rma_mamba.scans import read_scan
from rma_mamba.volume import Geometry, Mask, Volume

TILTED = np.array([[-1.6, 1.2, 0, 40], [1.2, 1.6, 0, -30], [0, 0, 5, 12.5], [0, 0, 0, 1]])


@dataclass(frozen=True)
class Phantom:
    volume: Volume
    mask: Mask


def make_phantom(seed: int, *, contrast: str) -> Phantom:
    """A bright box on a tilted grid; the fake segmenter finds exactly the voxels above 500."""
    values = np.full((24, 20, 8), -1000 if contrast == "ct" else 0, dtype=np.int16)
    values[8:16, 6:11, 2:6] = 1000
    geometry = Geometry(values.shape, TILTED)
    return Phantom(Volume(values, geometry), Mask((values > 500).astype(np.uint8), geometry))


@pytest.fixture(autouse=True)
def phantom(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small phantom in place of the real one, which takes seconds."""
    module = ModuleType("rma_mamba.datasets.phantom")
    module.make_phantom = make_phantom  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rma_mamba.datasets", ModuleType("rma_mamba.datasets"))
    monkeypatch.setitem(sys.modules, "rma_mamba.datasets.phantom", module)
    monkeypatch.delitem(sys.modules, "rma_mamba.pipeline.demo_case", raising=False)


def test_the_demo_compares_both_contrasts_with_the_truth(command, segmenter, tmp_path) -> None:
    done = command("demo", "--output", tmp_path / "out")
    assert done.code == 0
    heading, mr, ct, _ = done.out.splitlines()
    assert heading.split() == ["contrast", "true", "mL", "measured", "mL", "difference"]
    assert (mr.split()[0], ct.split()[0]) == ("MR-like", "CT-like")
    assert mr.split()[1] == mr.split()[2] == "3"
    assert mr.split()[3] == "+0.0%"


def test_the_demo_leaves_scans_masks_and_pictures(command, segmenter, tmp_path: Path) -> None:
    assert command("demo", "--output", tmp_path).code == 0
    truth = make_phantom(0, contrast="ct")
    scan = read_scan(tmp_path / "ct.nii.gz")
    assert np.array_equal(scan.values, truth.volume.values)
    assert scan.geometry.matches(truth.volume.geometry)
    assert scan.warnings == ()
    mask = read_scan(tmp_path / "mr_t2_liver.nii.gz")
    assert np.array_equal(mask.values, truth.mask.labels)
    for name in ("ct_preview.png", "mr_t2_preview.png"):
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) > 200


def test_the_demo_fails_if_a_volume_is_off(command, segmenter, tmp_path, monkeypatch) -> None:
    find = segmenter.__call__

    def find_half(self, scan, **settings):
        result = find(self, scan, **settings)
        result.mask.labels[:12] = 0
        return result

    monkeypatch.setattr(segmenter, "__call__", find_half)
    done = command("demo", "--output", tmp_path)
    assert done.code == 1
    assert "off by 50%" in done.err
