"""Cases that were segmented by a segmenter without a network."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import nibabel as nib
import numpy as np
import pytest

from command_line import FakeSegmenter
from rma_mamba.pipeline import SegmentRequest, segment_case
from rma_mamba.pipeline.discovery import Case
from rma_mamba.pipeline.review.mask_versions import MaskVersions

NAMES = ("case", "a", "b", "c", "d/e")


@pytest.fixture(scope="session")
def segmented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans in scans/, and their results in out/."""
    root = tmp_path_factory.mktemp("segmented")
    request = SegmentRequest(outputs=("nifti", "statistics"))
    for seed, name in enumerate(NAMES):
        random = np.random.default_rng(seed)
        values = random.integers(80, 120, (24, 20, 12)).astype(np.int16)
        values[6:18, 5 : 14 - seed, 2 : 10 - seed % 3] += 900
        scan = root / "scans" / f"{name}.nii.gz"
        scan.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(values, np.diag([2.0, 2.0, 5.0, 1.0])), scan)
        segment_case(Case(scan, name), root / "out", request, segmenter=FakeSegmenter())
        MaskVersions(root / "out" / name).adopt_result()
    return root


@pytest.fixture
def cohort(segmented: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy a case to the folder of the test; returns the folder of its results."""

    def make(name: str = "case") -> Path:
        scan = tmp_path / "scans" / f"{name}.nii.gz"
        scan.parent.mkdir(parents=True, exist_ok=True)
        scan.write_bytes((segmented / "scans" / f"{name}.nii.gz").read_bytes())
        return copytree(segmented / "out" / name, tmp_path / "out" / name)

    return make
