"""Whatever bytes a scan's file has, it is a volume or one line on what is wrong with it."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_series import enhanced, save, series, zipped
from rma_mamba.errors import RmaMambaError
from rma_mamba.scans import list_series, read_scan
from rma_mamba.volume import Volume

Edit = tuple[int, int, bytes]  # where, how many bytes go, what comes instead

edits = st.lists(
    st.tuples(
        st.integers(0, 2**16),
        st.integers(0, 8),
        st.binary(max_size=8) | st.sampled_from([b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff"]),
    ),
    min_size=1,
    max_size=3,
)
SECRETS = ("Doe", "4711")


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small valid file of each kind."""
    folder = tmp_path_factory.mktemp("seeds")
    values = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
    single = nib.Nifti1Image(values, np.diag([1, 2, 3, 1])).to_bytes()
    slices = save(folder / "series", series(slices=2))
    many = save(folder / "enhanced", [enhanced(series(slices=3))])
    return {
        "nii": single,
        "nii2": nib.Nifti2Image(values, np.eye(4)).to_bytes(),
        "gz": gzip.compress(single, mtime=0),
        "slice": (slices / "IM0000").read_bytes(),
        "enhanced": (many / "IM0000").read_bytes(),
        "zip": zipped(slices, folder / "a.zip").read_bytes(),
    }


def corrupted(content: bytes, changes: list[Edit]) -> bytes:
    stream = io.BytesIO(content)
    for position, gone, new in changes:
        whole = stream.getvalue()
        at = position % max(len(whole), 1)
        stream = io.BytesIO(whole[:at] + new + whole[at + gone :])
    return stream.getvalue()


def assert_volume_or_one_line(path: Path) -> None:
    for read in (read_scan, list_series):
        try:
            found: Any = read(path)
        except RmaMambaError as error:
            message = str(error)
            assert "\n" not in message
            assert not any(secret in message for secret in (*SECRETS, str(path.parent)))
        else:
            assert isinstance(found, Volume | list)


@pytest.mark.parametrize("kind", ["nii", "nii2", "gz", "slice", "enhanced", "zip"])
@settings(max_examples=25, deadline=None)
@given(changes=edits, cut=st.none() | st.integers(0, 4000))
def test_corrupt_bytes_give_a_volume_or_a_one_line_error(
    seeds: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    changes: list[Edit],
    cut: int | None,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"corrupt.{kind}"
    path.write_bytes(corrupted(seeds[kind], changes)[:cut])
    assert_volume_or_one_line(path)


def test_the_fuzz_check_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise ValueError("fails")

    monkeypatch.setitem(globals(), "read_scan", fail)
    with pytest.raises(ValueError, match="fails"):
        assert_volume_or_one_line(tmp_path)
