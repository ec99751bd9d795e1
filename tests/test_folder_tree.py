"""Folders are listed without what operating systems leave in them, and links end."""

from __future__ import annotations

from pathlib import Path

import pytest

from rma_mamba.folder_tree import (
    TooManyFilesError,
    folder_tree,
    is_ignored,
    leads_nowhere,
    visible,
)


def files(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def listed(root: Path) -> list[str]:
    return [
        str(path.relative_to(root)) for folder in folder_tree(root).walk() for path in folder.files
    ]


def test_hidden_files_and_those_of_operating_systems_are_not_listed(tmp_path: Path) -> None:
    files(tmp_path, "IM1", "a/IM2", "._IM1", ".DS_Store", "Thumbs.db", "desktop.ini", "a/THUMBS.DB")
    files(tmp_path, "__MACOSX/a/IM2", ".git/config", "@eaDir/IM1", "$RECYCLE.BIN/x")
    assert listed(tmp_path) == ["IM1", "a/IM2"]
    assert [path.name for path in visible(tmp_path.iterdir())] == ["IM1", "a"]
    assert not any(map(is_ignored, ("Thumbs.dcm", ".", "..")))


def test_the_root_itself_may_be_hidden_or_a_link(tmp_path: Path) -> None:
    files(tmp_path / ".cache" / "__MACOSX", "IM1")
    (tmp_path / "link").symlink_to(tmp_path / ".cache" / "__MACOSX")
    assert listed(tmp_path / ".cache" / "__MACOSX") == listed(tmp_path / "link") == ["IM1"]


def test_files_are_sorted_and_those_of_a_folder_come_before_those_below_it(tmp_path: Path) -> None:
    assert listed(files(tmp_path, "b/2", "b/1", "a/3", "0")) == ["0", "a/3", "b/1", "b/2"]


def test_links_in_circles_end(tmp_path: Path) -> None:
    files(tmp_path, "p1/ct.nii")
    for name in ("all", "also", "p1/up", "p1/again"):
        (tmp_path / name).symlink_to(tmp_path)
    (tmp_path / "p1" / "self").symlink_to("self")
    (tmp_path / "p1" / "far").symlink_to("/")
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert listed(tmp_path) == ["p1/ct.nii"]
    dangling = [path.name for folder in folder_tree(tmp_path).walk() for path in folder.dangling]
    assert dangling == ["a", "b", "self"]


def test_a_folder_is_listed_once_and_at_its_own_place(tmp_path: Path) -> None:
    files(tmp_path / "in", "p1/ct.nii", "p2/x/mr.nii")
    files(tmp_path / "elsewhere", "p3/ct.nii", "p3/y/mr.nii")
    for name in ("a1", "p2/a2"):
        (tmp_path / "in" / name).symlink_to(tmp_path / "in" / "p1")
    for name in ("z1", "z2"):
        (tmp_path / "in" / name).symlink_to(tmp_path / "elsewhere" / "p3")
    (tmp_path / "elsewhere" / "p3" / "back").symlink_to(tmp_path / "in")
    (tmp_path / "elsewhere" / "p3" / "over").symlink_to(tmp_path / "elsewhere")
    assert listed(tmp_path / "in") == ["p1/ct.nii", "p2/x/mr.nii", "z1/ct.nii", "z1/y/mr.nii"]


def test_links_to_files_are_files_and_dangling_links_are_listed_apart(tmp_path: Path) -> None:
    files(tmp_path, "IM1")
    (tmp_path / "IM2").symlink_to("IM1")
    (tmp_path / "IM3").symlink_to("missing")
    (tmp_path / "IM4").symlink_to("IM1/under a file")
    tree = folder_tree(tmp_path)
    assert [path.name for path in tree.files] == ["IM1", "IM2"]
    assert [path.name for path in tree.dangling] == ["IM3", "IM4"]
    assert [leads_nowhere(tmp_path / f"IM{n}") for n in (1, 2, 3)] == [False, False, True]


def test_a_deep_tree_is_no_problem(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(1200):  # more than Python's limit of recursion
        deep = deep / "d"
        deep.mkdir()
    (deep / "IM1").write_bytes(b"")
    assert len(listed(tmp_path)) == 1
    (deep / "IM1").unlink()
    while deep != tmp_path:  # pytest removes folders recursively
        deep.rmdir()
        deep = deep.parent


def test_the_number_of_files_can_be_limited(tmp_path: Path) -> None:
    files(tmp_path, "a", "b", "c/d")
    folder_tree(tmp_path, max_files=3)
    with pytest.raises(TooManyFilesError):
        folder_tree(tmp_path, max_files=2)
