"""Processes that run side by side share GPUs and cores, and end with the process that started them."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from rma_mamba.errors import RmaMambaError
from rma_mamba.training.side_by_side import Command, run_side_by_side, slot_environment


def python(tmp_path: Path, name: str, code: str) -> Command:
    return Command(name, [sys.executable, "-c", code], tmp_path / f"{name}.log")


def test_no_more_than_the_given_number_run_at_the_same_time(tmp_path: Path) -> None:
    # each process records when it starts and ends
    code = "import time; start = time.time(); time.sleep(0.3); print(start, time.time())"
    run_side_by_side([python(tmp_path, str(i), code) for i in range(3)], 2)
    times = [tuple(map(float, (tmp_path / f"{i}.log").read_text().split())) for i in range(3)]
    for start, _ in times:
        assert sum(begin <= start < end for begin, end in times) <= 2


def test_failures_are_collected_with_their_last_message(tmp_path: Path) -> None:
    notes: list[str] = []
    bad = python(tmp_path, "b", "print('x'); raise SystemExit('rma-mamba: error: no data.')")
    with pytest.raises(RmaMambaError, match=r"1 of 2 .*\(b: exit code 1, no data\);"):
        run_side_by_side([bad, python(tmp_path, "a", "")], 1, notes.append)
    assert notes[1::2] == ["b: failed", "a: complete"]


def test_each_process_gets_a_gpu_and_a_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 6")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = [slot_environment(slot, 3) for slot in range(3)]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in found] == ["4", "6", "4"]
    assert 1 <= int(found[0]["OMP_NUM_THREADS"]) <= max(1, (os.cpu_count() or 1) // 3)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert slot_environment(0, 3)["OMP_NUM_THREADS"] == "5"


def test_children_end_when_the_command_is_interrupted(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = f"import os, time; open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"

    def interrupt() -> None:
        while not file.exists() or not file.read_text():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt).start()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught:
        run_side_by_side([python(tmp_path, "a", code)], 1)
    assert caught.value.code == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)
    assert signal.getsignal(signal.SIGTERM) == before
