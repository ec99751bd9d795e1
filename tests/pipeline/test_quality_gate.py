"""`--fail-on` has an exit code of its own, and every result is written all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.pipeline.case import CompletedCase
from rma_mamba.pipeline.cohort import RunOutcome
from rma_mamba.pipeline.exit_codes import ExitCode
from rma_mamba.pipeline.messages import NoMessages
from rma_mamba.pipeline.quality_gate import exit_code_of_run
from rma_mamba.pipeline.request import SegmentRequest
from rma_mamba.pipeline.segment import Distribution
from rma_mamba.reporting import Flag, Quality

LIGHTS = {0: "green", 1: "yellow", 2: "red"}


@pytest.fixture
def judged(segmenter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first voxel of a scan decides on the light of its mask."""
    original = segmenter.__call__

    def call(self: Any, scan: Any, **options: Any) -> Any:
        result = original(self, scan, **options)
        light: Any = LIGHTS[int(scan.values[0, 0, 0])]
        flags = () if light == "green" else (Flag("volume_unusual", "Unusual.", light),)
        result.quality = Quality(flags)
        return result

    monkeypatch.setattr(segmenter, "__call__", call)


def write(path: Path, scan: Path, light: int) -> Path:
    image = nib.load(scan)
    values = np.asarray(image.dataobj).copy()
    values[0, 0, 0] = light
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(values, image.affine), path)
    return path


@pytest.fixture
def cohort(scan: Path, tmp_path: Path) -> Path:
    """A green, a yellow and a red case."""
    for number, light in LIGHTS.items():
        write(tmp_path / "cohort" / f"{light}.nii", scan, number)
    return tmp_path / "cohort"


@pytest.mark.parametrize(
    ("light", "codes"),
    [("green", (0, 0, 0)), ("yellow", (0, 0, 8)), ("red", (0, 8, 8))],
)
@pytest.mark.usefixtures("judged")
def test_one_scan_has_the_code_of_its_light(
    command: Callable[..., Any], cohort: Path, tmp_path: Path, light: str, codes: tuple[int, ...]
) -> None:
    for options, code in zip(
        ((), ("--fail-on", "red"), ("--fail_on", "yellow")), codes, strict=True
    ):
        out = tmp_path / f"{light}{len(options)}{code}" / "liver.nii.gz"
        done = command("segment", "-i", cohort / f"{light}.nii", "-o", out, "-s", *options)
        assert (done.code, out.exists()) == (code, True)
        assert out.with_name("liver_statistics.json").exists()
        assert ("--fail-on" in done.err) == (code == 8)


@pytest.mark.usefixtures("judged")
def test_a_cohort_is_written_whole_and_counts_the_masks_below(
    command: Callable[..., Any], cohort: Path, tmp_path: Path
) -> None:
    done = command("segment", "-i", cohort, "-o", tmp_path / "out", "--fail-on", "yellow", "-q")
    assert done.code == ExitCode.QUALITY_TOO_LOW == 8
    assert "2 of 3 masks are yellow or red" in done.err
    assert all((tmp_path / "out" / name / "liver.nii.gz").exists() for name in LIGHTS.values())
    assert command("segment", "-i", cohort, "-o", tmp_path / "out").code == 0
    # a case that was complete before counts as well
    again = command("segment", "-i", cohort, "-o", tmp_path / "out", "--fail-on", "red", "--resume")
    assert (again.code, "1 of 3 masks are red" in again.err) == (8, True)


@pytest.mark.usefixtures("judged")
def test_a_failed_case_comes_first(
    command: Callable[..., Any], cohort: Path, tmp_path: Path
) -> None:
    (cohort / "bad.nii.gz").write_bytes(b"bad")
    done = command("segment", "-i", cohort, "-o", tmp_path / "out", "--fail-on", "red")
    assert done.code == ExitCode.SOME_CASES_FAILED
    assert "1 of 3 masks are red" in done.err


def test_results_of_a_mask_below_are_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rma_mamba.server.node import remote_segmentation, remote_study

    cases: Any = [CompletedCase({}, light=light) for light in ("green", "red", "yellow", None)]
    sent: list[Any] = []
    outcome = RunOutcome(tuple(cases))
    monkeypatch.setattr(remote_segmentation, "segment_path", lambda *_: outcome)
    monkeypatch.setattr(remote_study, "send_results", lambda _, found, __: sent.extend(found))

    def send(fail_on: Any) -> list[Any]:
        sent.clear()
        settings = str(tmp_path), SegmentRequest(), Distribution(), NoMessages()
        run = remote_segmentation.segment_and_send(
            None, *settings, send_to="A@127.0.0.1:1", fail_on=fail_on
        )
        assert run is outcome
        return [case.light for case in sent]

    assert send(None) == ["green", "red", "yellow", None]
    assert send("red") == ["green", "yellow"]
    assert send("yellow") == ["green"]


def test_another_light_is_wrong_usage(
    command: Callable[..., Any], segmenter: Any, scan: Path, tmp_path: Path
) -> None:
    done = command("segment", "-i", scan, "-o", tmp_path / "a.nii", "--fail-on", "green")
    assert (done.code, "red" in done.err, (tmp_path / "a.nii").exists()) == (2, True, False)


def test_a_case_whose_record_is_gone_counts_as_red() -> None:
    assert exit_code_of_run([None], 0, "red", NoMessages()) == ExitCode.QUALITY_TOO_LOW
    assert exit_code_of_run([None], 0, None, NoMessages()) == ExitCode.OK
    assert exit_code_of_run([], 0, "yellow", NoMessages()) == ExitCode.OK
