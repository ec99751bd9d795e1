"""A look at a few files shows whether there are slices, and of which study."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_series import SLICES, beside, enhanced, save, series
from rma_mamba.scans.dicom_probe import are_derived_objects, probe_slices


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_slices_are_counted_until_there_are_enough(tmp_path: Path) -> None:
    slices = series()
    for each in slices:
        each.StudyInstanceUID = "1.2"
    save(tmp_path, [*slices, beside("report"), beside("localizer"), beside("segmentation")])
    (tmp_path / "note").write_text("x")
    (tmp_path / "nowhere").symlink_to("missing")
    assert probe_slices(files(tmp_path)).study == ("4711", "1.2")
    assert [probe_slices(files(tmp_path), enough=n).slices for n in (1, 3, 99)] == [1, 3, SLICES]
    assert probe_slices([tmp_path / "note"]).study is None


def test_the_frames_of_one_file_are_counted(tmp_path: Path) -> None:
    save(tmp_path, [enhanced(series())])
    assert probe_slices(files(tmp_path), enough=99).slices == SLICES


@pytest.mark.parametrize(
    ("kinds", "derived"),
    [
        (("segmentation", "report", "dose"), True),
        (("report", "localizer"), False),
        (("screenshot",), False),
        ((), False),
    ],
)
def test_objects_made_from_a_scan_are_not_a_scan(
    tmp_path: Path, kinds: tuple[str, ...], derived: bool
) -> None:
    save(tmp_path, [beside(kind) for kind in kinds])
    assert are_derived_objects(files(tmp_path)) == derived
    (tmp_path / "damaged.dcm").write_bytes(b"x")
    assert not are_derived_objects(files(tmp_path))
