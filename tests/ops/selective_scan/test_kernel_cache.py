"""A compile cache that cannot be used is an empty one: the kernel is compiled, and the cache repaired if possible."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numba as nb
import pytest

from rma_mamba.ops.selective_scan.kernel_cache import VariantFiles, cache_on_disk


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(nb.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def double(x: Any) -> Any:
    return x + x


def kernel() -> Any:
    """A kernel as a new process has it: nothing is compiled yet."""
    return cache_on_disk(nb.njit(double))


def hits(kernel: Any) -> int:
    return sum(kernel.stats.cache_hits.values())


def entry(folder: Path) -> Path:
    """The only file of the cache."""
    (found,) = folder.rglob("*.nbc")
    return found


def with_checksum(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest() + payload


def exits(code: int) -> NoReturn:
    """Called when a foreign pickle is loaded."""
    raise SystemError(code)


class Hostile:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[int]]:
        return exits, (3,)


def test_a_variant_is_compiled_once() -> None:
    assert kernel()(2) == 4
    second = kernel()
    assert second(2) == 4
    assert hits(second) == 1


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut off in the checksum": lambda content: content[:20],
    "cut off": lambda content: content[: len(content) // 2],
    "one bit flipped": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "zeros": lambda content: bytes(len(content)),
    "text": lambda content: b"no such cache\n" * 9,
    "a pickle that ends early": lambda content: with_checksum(pickle.dumps([1, 2])[:-3]),
    "a pickle of something else": lambda content: with_checksum(pickle.dumps({"version": 3})),
    "a pickle that raises": lambda content: with_checksum(pickle.dumps(Hostile())),
    "of another origin": lambda content: with_checksum(pickle.dumps((("0.1",), "key", ()))),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_is_a_miss_and_is_replaced(
    damage: Callable[[bytes], bytes], folder: Path
) -> None:
    kernel()(2)
    file = entry(folder)
    file.write_bytes(damage(file.read_bytes()))
    second, third = kernel(), kernel()
    assert second(2) == 4
    assert hits(second) == 0
    assert third(2) == 4
    assert hits(third) == 1


def test_files_of_another_version_are_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(nb, "__version__", "0.1")
        kernel()(2)
    foreign = entry(folder)
    second = kernel()
    assert second(2) == 4
    assert hits(second) == 0
    assert foreign.exists()
    assert len([*folder.rglob("*.nbc")]) == 2


@pytest.mark.parametrize("kind", ["folder", "dangling link", "unreadable"])
def test_something_else_in_place_of_the_file_is_a_miss(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel()(2)
    file = entry(folder)
    if kind == "unreadable":  # to root all files are readable
        monkeypatch.setattr(Path, "read_bytes", raises(PermissionError(errno.EACCES, "denied")))
    else:
        file.unlink()
    if kind == "folder":
        file.mkdir()
    if kind == "dangling link":
        file.symlink_to("nowhere")
    second = kernel()
    assert second(2) == 4
    assert hits(second) == 0


def raises(error: Exception) -> Callable[..., NoReturn]:
    def call(*_: object, **__: object) -> NoReturn:
        raise error

    return call


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOENT])
def test_a_folder_that_cannot_be_written_to_is_no_error(
    reason: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def full(self: object, path: str) -> Iterator[Any]:
        with Path(path + ".tmp").open("wb"):
            pass
        raise OSError(reason, os.strerror(reason))
        yield

    monkeypatch.setattr(VariantFiles, "_open_for_write", full)
    assert kernel()(2) == 4
    assert not [*folder.rglob("*.nbc")]


def test_a_folder_that_vanishes_is_no_error(folder: Path) -> None:
    made = kernel()
    for each in folder.iterdir():
        each.rmdir()
    folder.rmdir()
    folder.write_text("a file in its place")
    assert made(2) == 4


def test_without_any_folder_kernels_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "makedirs", raises(PermissionError(errno.EACCES, "denied")))
    made = kernel()
    assert made(2) == 4
    assert made.stats.cache_path is None


def test_variants_that_two_processes_compile_at_once_stay_apart() -> None:
    """numba's own index would have one of them only, and its code might be that of the other."""
    one, other = kernel(), kernel()  # both have seen an empty folder
    assert (one(2), other(2.5)) == (4, 5.0)
    both = kernel()
    assert (both(2), both(2.5)) == (4, 5.0)
    assert hits(both) == 2


def test_processes_that_compile_at_the_same_time_all_succeed(folder: Path) -> None:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_compile) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 4
    last = kernel()
    assert last(2) == 4
    assert hits(last) == 1
    assert not [*folder.rglob("*.tmp*")]


def _compile() -> None:
    assert kernel()(2) == 4
