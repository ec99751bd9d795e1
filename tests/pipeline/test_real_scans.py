"""The whole way on real patients that the bundled network never saw; skipped where they are missing."""

import numpy as np
import pytest

from public_scans import DATA, needs_public_scans
from rma_mamba.inference import Segmenter
from rma_mamba.metrics import dice
from rma_mamba.scans import read_scan

pytestmark = needs_public_scans


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.load(device="cpu")


@pytest.mark.parametrize(
    ("scan", "label", "liver", "least"),
    [
        ("mr_t2_chaos/images/chaos_36.nii.gz", "mr_t2_chaos/labels/chaos_36.nii.gz", 1, 0.85),
        ("ct_btcv/images/btcv_29.nii.gz", "ct_btcv/labels/btcv_29.nii.gz", 6, 0.85),
    ],
)
def test_the_liver_of_an_unseen_patient_is_found(
    segmenter: Segmenter, scan: str, label: str, liver: int, least: float
) -> None:
    found = segmenter(DATA / scan).mask
    truth = (read_scan(DATA / label).values == liver).astype(np.uint8)
    assert dice(found.labels, truth) > least


@pytest.mark.parametrize(
    "name",
    ["example_ct_dicom", "example_ct_sm.nii.gz", "example_mr_sm.nii.gz"],
)
def test_other_scans_give_a_mask_on_their_own_grid(name: str) -> None:
    volume = read_scan(DATA / "scans_totalsegmentator" / name)
    mask = Segmenter.load(device="cpu", fast=True)(volume).mask  # one map of each slice
    assert mask.geometry is volume.geometry
    assert mask.labels.shape == volume.values.shape
