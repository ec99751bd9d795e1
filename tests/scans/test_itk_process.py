"""ITK reads in a process of its own: any file name is fine, and an abort costs one scan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from rma_mamba.errors import BackendError, ScanError
from rma_mamba.scans import itk_process, itk_worker, read_scan
from rma_mamba.scans.itk_process import ITK
from rma_mamba.scans.worker_process import WorkerProcess

NAMES = {
    "UTF-8": "größe 肝".encode(),
    "Latin-1": "größe".encode("latin-1"),
    "no encoding": b"\xff\xfe",
    "line break": b"a\nb",
}
VALUES = np.arange(60, dtype=np.int16).reshape(3, 4, 5)


def process() -> WorkerProcess:
    assert ITK.process is not None
    return ITK.process


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.mha"
    sitk.WriteImage(sitk.GetImageFromArray(VALUES), str(path))
    make_unusual(path)
    return path


def make_unusual(path: Path) -> None:
    """Change a header so that the file is not read without ITK."""
    content = path.read_bytes().replace(b"Offset =", b"Position =")
    path.write_bytes(content.replace(b"encoding:", b"line skip: 0\nencoding:"))


def renamed(folder: Path, name: bytes, end: str) -> Path:
    """A scan in a folder, both with this name; so is its data file, which its header names byte for byte."""
    place = folder / os.fsdecode(name)
    place.mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(VALUES), str(folder / f"plain.{end}"))
    header, data = folder / f"plain.{end}", folder / "plain.raw"
    make_unusual(header)
    header.write_bytes(header.read_bytes().replace(b"plain.raw", name + b".raw"))
    if data.exists():
        data.rename(place / os.fsdecode(name + b".raw"))
    return header.rename(place / os.fsdecode(name + b"." + end.encode()))


@pytest.mark.parametrize("end", ["nrrd", "nhdr", "mha", "mhd"])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_file_may_have_any_name(tmp_path: Path, name: bytes, end: str) -> None:
    if name == b"a\nb" and end in ("nhdr", "mhd"):
        pytest.skip("a header has one field per line")
    assert np.array_equal(read_scan(renamed(tmp_path, name, end)).values, VALUES.T)


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", "xx_XX.ISO-8859-1"])
def test_a_file_may_have_any_name_under_any_locale(tmp_path: Path, locale: str) -> None:
    path = renamed(tmp_path, NAMES["no encoding"], "nrrd")
    program = "import sys; from rma_mamba.scans import read_scan; print(read_scan(sys.argv[1]).values.shape)"
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        env={**os.environ, "LC_ALL": locale},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"(5, 4, 3)\n", b"")


def test_an_abort_of_itk_costs_one_scan(
    tmp_path: Path, scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def unchanged(header: itk_process.ItkHeader) -> Iterator[str]:
        yield str(header.path)

    monkeypatch.setattr(itk_process, "_plain_path", unchanged)
    with pytest.raises(ScanError, match="truncated or corrupt"):
        read_scan(renamed(tmp_path, NAMES["no encoding"], "mha"))
    assert process().popen.poll() == -signal.SIGABRT
    assert np.array_equal(read_scan(scan).values, VALUES.T)


def test_one_process_reads_all_files_and_is_replaced_after_it_was_killed(scan: Path) -> None:
    first = [read_scan(scan) and process().popen.pid for _ in range(2)]
    assert first[0] == first[1]
    process().popen.kill()
    process().popen.wait()
    assert np.array_equal(read_scan(scan).values, VALUES.T)
    assert process().popen.pid != first[0]


def test_the_child_of_a_fork_reads_with_a_process_of_its_own(scan: Path) -> None:
    program = """
import os, sys, warnings
warnings.simplefilter("error")
from rma_mamba.scans import read_scan
from rma_mamba.scans.itk_process import ITK
read_scan(sys.argv[1])
before = ITK.process.popen.pid
ITK.lock.acquire()  # as another thread might at this moment
child = os.fork()
if child == 0:
    read_scan(sys.argv[1])
    os._exit(ITK.process.popen.pid == before)
ITK.lock.release()
assert os.waitpid(child, 0)[1] == 0
read_scan(sys.argv[1])
print(ITK.process.popen.pid == before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, scan], capture_output=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == (b"True\n", b"")


def test_threads_read_one_after_another(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.nrrd" for number in range(8)]
    for number, path in enumerate(paths):
        sitk.WriteImage(sitk.GetImageFromArray(VALUES + number), str(path))
    found: dict[Path, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda path=path: found.update({path: read_scan(path).values}))
        for path in paths
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[path], VALUES.T + n) for n, path in enumerate(paths))


def test_voxels_arrive_without_files_in_memory(
    scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(itk_worker.__file__).read_text()
    worker = tmp_path / "worker.py"
    worker.write_text(source.replace("os.memfd_create(", "os.no_such_function("))
    assert worker.read_text() != source
    monkeypatch.setattr(ITK, "script", worker)
    ITK.stop()
    assert np.array_equal(read_scan(scan).values, VALUES.T)
    ITK.stop()


def test_a_missing_simpleitk_is_not_an_error_of_the_scan(
    scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "worker.py").write_text("import no_such_library")
    monkeypatch.setattr(ITK, "script", tmp_path / "worker.py")
    ITK.stop()
    with pytest.raises(BackendError, match="SimpleITK cannot be imported"):
        read_scan(scan)
    ITK.stop()
