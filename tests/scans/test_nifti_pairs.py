"""A pair is read whatever the compression and the capital letters of its two names."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rma_mamba.errors import ScanError
from rma_mamba.scans import count_volumes, read_geometry, read_scan
from rma_mamba.scans.nifti_pairs import header_and_image, other_file, pair_suffix

VALUES = np.arange(60, dtype=np.int16).reshape(5, 4, 3)


def pair(folder: Path, header: str, image: str, values: np.ndarray = VALUES) -> Path:
    """A pair with these names; a file is compressed if its name says so. Returns the folder."""
    work = folder / "work"
    work.mkdir(parents=True)
    nib.save(nib.Nifti1Pair(values, np.diag([2, 2, 5, 1])), work / "x.img")
    for source, name in (("x.hdr", header), ("x.img", image)):
        content = (work / source).read_bytes()
        packed = name.lower().endswith(".gz")
        (folder / name).write_bytes(gzip.compress(content) if packed else content)
        (work / source).unlink()
    work.rmdir()
    return folder


@pytest.mark.parametrize(
    ("header", "image"),
    [
        *(("a.hdr", "a.img"), ("a.hdr.gz", "a.img.gz"), ("a.hdr", "a.img.gz")),
        *(("a.hdr.gz", "a.img"), ("a.hdr", "a.IMG"), ("A.HDR", "A.IMG"), ("A.HDR.GZ", "A.IMG.GZ")),
        *(
            ("a.Hdr", "a.Img"),
            ("A.HDR", "a.img"),
            ("a.b.hdr.GZ", "a.b.IMG"),
            ("[a].hdr", "[a].img"),
        ),
    ],
)
def test_a_pair_is_read_by_either_name(tmp_path: Path, header: str, image: str) -> None:
    folder = pair(tmp_path / "pair", header, image)
    for name in (header, image):
        assert np.array_equal(read_scan(folder / name).values, VALUES)
        assert read_geometry(folder / name).spacing_mm == (2, 2, 5)
        assert count_volumes(folder / name) == 1
        assert header_and_image(folder / name) == (folder / header, folder / image)


def test_of_several_files_the_most_similar_one_is_taken(tmp_path: Path) -> None:
    for name in ("a.hdr", "a.hdr.gz", "A.HDR", "a.img", "a.img.gz", "A.IMG"):
        (tmp_path / name).write_bytes(b"")
    for one, other in (("a.hdr", "a.img"), ("a.hdr.gz", "a.img.gz"), ("A.HDR", "A.IMG")):
        assert other_file(tmp_path / one) == tmp_path / other
        assert other_file(tmp_path / other) == tmp_path / one


def test_one_file_alone_is_no_pair(tmp_path: Path) -> None:
    pair(tmp_path / "pair", "a.hdr", "a.img")
    (tmp_path / "pair" / "a.img").rename(tmp_path / "pair" / "ab.img")
    assert other_file(tmp_path / "pair" / "a.hdr") is None
    assert pair_suffix(Path("a.nii.gz")) == ""
    for name in ("a.hdr", "ab.img"):
        with pytest.raises(ScanError, match="other file of the"):
            read_scan(tmp_path / "pair" / name)
    (tmp_path / "pair" / "a.img").symlink_to("nowhere")
    with pytest.raises(ScanError, match="other file of the"):
        read_scan(tmp_path / "pair" / "a.hdr")


@pytest.mark.parametrize("name", ["a.hdr", "a.img", "a.IMG.GZ"])
def test_a_single_file_may_be_named_as_one_of_a_pair(tmp_path: Path, name: str) -> None:
    nib.save(nib.Nifti1Image(VALUES, np.eye(4)), tmp_path / "a.nii")
    (tmp_path / "a.nii").rename(tmp_path / name)
    assert np.array_equal(read_scan(tmp_path / name).values, VALUES)


@pytest.mark.parametrize("first", [2, 8])
def test_the_first_voxel_may_be_any_number(tmp_path: Path, first: int) -> None:
    values = VALUES.copy()
    values[0, 0, 0] = first
    folder = pair(tmp_path / "pair", "a.hdr", "a.img", values)
    assert np.array_equal(read_scan(folder / "a.img").values, values)
