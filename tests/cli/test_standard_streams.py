"""Whatever stdin, stdout and stderr are, a command does its work, and says what it can."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dicom_series import edited, save

COMMAND = shlex.join([sys.executable, "-m", "rma_mamba"])


def shell(script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a script of bash in which $R is the command."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LC_", "LANG", "PYTHONIO", "PYTHONUTF8"))
    }
    return subprocess.run(
        ["bash", "-c", script.replace("$R", COMMAND)],
        capture_output=True,
        check=False,
        env=plain | environment,
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def describe(slices: list) -> None:
        for each in slices:
            each.SpecificCharacterSet = "ISO_IR 192"
            each.SeriesDescription = "Leber nativ é – 肝臓"

    return save(tmp_path_factory.mktemp("input") / "series", edited(describe))


@pytest.mark.parametrize(
    ("environment", "encoding", "shown"),
    [
        ({"PYTHONIOENCODING": "latin-1"}, "latin-1", "Leber nativ é ? ??"),
        ({"PYTHONIOENCODING": "cp1252:strict"}, "cp1252", "Leber nativ é – ??"),
        ({"PYTHONIOENCODING": "ascii"}, "ascii", "Leber nativ ? ? ??"),
        ({"PYTHONIOENCODING": "utf-8"}, "utf-8", "Leber nativ é – 肝臓"),
        ({"LC_ALL": "C"}, "utf-8", "Leber nativ é – 肝臓"),
        (
            {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
            "ascii",
            "Leber nativ ? ? ??",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else None,
)
def test_letters_that_stdout_lacks_are_replaced(
    study: Path, environment: dict[str, str], encoding: str, shown: str
) -> None:
    done = shell(f"$R series {study}", **environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode(encoding).rstrip().endswith(shown)


def test_json_is_the_same_in_every_encoding(study: Path) -> None:
    done = shell(f"$R series {study} --json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)[0]["description"] == "Leber nativ é – 肝臓"


@pytest.mark.parametrize("text", ["ZZZ", "Zé–肝"])
def test_messages_and_usage_errors_print_in_ascii(text: str) -> None:
    for arguments in (f"{text}", f"segment -i {text} -o out --modality {text}"):
        done = shell(f"$R {arguments}", PYTHONIOENCODING="ascii")
        assert done.returncode == 2
        assert "Error" in done.stderr.decode("ascii") or "error" in done.stderr.decode("ascii")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_failure(closed: str) -> None:
    assert shell(f"$R info {closed}").returncode == 0
    assert shell(f"$R nonsense {closed}").returncode == 2


def test_a_file_never_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from rma_mamba.standard_streams import repair_streams\n"
        "repair_streams()\n"
        f"file = open({str(tmp_path / 'mask')!r}, 'w')\n"
        "os.write(1, b'a library prints')\n"
        "print('text')\n"
        "sys.exit(file.fileno())\n"
    )
    done = shell(f"{sys.executable} -c {shlex.quote(script)} <&- >&- 2>&-")
    assert done.returncode > 2
    assert (tmp_path / "mask").read_bytes() == b""


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", ["info", "--help", "segment --help", "--version"])
def test_a_reader_that_has_gone_ends_a_command_without_a_word(
    arguments: str, unbuffered: str
) -> None:
    script = f"{{ sleep 0.2; $R {arguments}; echo $? >&2; }} | true"
    assert shell(script, PYTHONUNBUFFERED=unbuffered).stderr == b"141\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_stdout_is_a_one_line_error(unbuffered: str) -> None:
    done = shell("$R info > /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 1
    assert done.stderr.startswith(b"rma-mamba: error: the output cannot be printed (No space left")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2> >(true)"])
def test_messages_that_nobody_reads_do_not_end_a_command(stderr: str) -> None:
    script = (
        "import sys\n"
        "from rma_mamba.standard_streams import repair_streams\n"
        "from rma_mamba.cli.console import Console\n"
        "repair_streams()\n"
        "for _ in range(9): Console().warn(['x' * 9000])\n"
        "print('done')\n"
    )
    done = shell(f"{sys.executable} -c {shlex.quote(script)} {stderr}", PYTHONUNBUFFERED="1")
    assert (done.returncode, done.stdout) == (0, b"done\n")


@pytest.mark.parametrize("arguments", [["train", "x"], ["benchmark", "ablation"]])
def test_what_training_prints_is_no_data(
    command, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    def prints(*_: object, **__: object) -> str:
        print("epoch 1")
        return "result"

    monkeypatch.setattr("rma_mamba.training.train", prints)
    monkeypatch.setattr("rma_mamba.experiments.run_benchmark", prints)
    done = command(*arguments)
    assert done.code == 0
    assert "epoch 1" not in done.out
    assert "epoch 1" in done.err
    assert "result" in done.out + done.err
