"""Requests: what reaches the reader and the network, and what is recorded."""

import pickle

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.errors import ScanError
from rma_mamba.pipeline.request import NetworkOptions, ReadOptions, SegmentRequest
from rma_mamba.reporting import PatientSize


def test_a_request_can_be_sent_to_another_process() -> None:
    request = SegmentRequest(
        NetworkOptions("weights", "cuda:1", 4, True, "bfloat16"),
        ReadOptions("2", "all", True, (1.0, 1.0, 5.0), "CT"),
        ("nifti", "preview"),
        True,
        PatientSize(175, 80),
    )
    assert pickle.loads(pickle.dumps(request)) == request


def test_network_options_reach_the_segmenter(segmenter) -> None:
    NetworkOptions("weights", "cpu", 4, True, "bfloat16", "torch").load()
    loaded = {"model": "weights", "device": "cpu", "batch_size": 4, "fast": True}
    assert segmenter.loaded == {**loaded, "precision": "bfloat16", "runtime": "torch"}


def test_read_options_select_the_volume(tmp_path) -> None:
    values = np.stack([np.full((4, 4, 4), number, np.int16) for number in (1, 2)], axis=-1)
    values[0] = 0
    path = tmp_path / "scan.nii.gz"
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    assert ReadOptions(volume=2).read(path).values.max() == 2
    assert ReadOptions(volume="all").read(path, 1).values.max() == 1
    with pytest.raises(ScanError):
        ReadOptions().read(path)


def test_settings_record_the_volume_of_the_case_and_its_old_name() -> None:
    request = SegmentRequest(reading=ReadOptions(volume="all", modality="CT"))
    settings = request.settings(volume=3)
    assert settings["volume"] == settings["frame"] == 3
    assert settings["modality"] == "CT"
    assert SegmentRequest(reading=ReadOptions(volume=2)).settings()["volume"] == 2


def test_settings_leave_out_what_does_not_change_the_mask() -> None:
    plain = SegmentRequest().settings()
    others = SegmentRequest(
        NetworkOptions(device="cuda", batch_size=3),
        outputs=("stl",),
        patient_size=PatientSize(175, 80),
    )
    assert others.settings() == plain
    assert SegmentRequest(NetworkOptions(fast=True)).settings() != plain
    assert SegmentRequest(NetworkOptions(precision="bfloat16")).settings() != plain
