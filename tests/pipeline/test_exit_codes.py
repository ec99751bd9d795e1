"""Every error has one exit code and one line."""

import re
from pathlib import Path

import pytest

from rma_mamba import errors
from rma_mamba.pipeline.exit_codes import ExitCode, error_message, exit_code_of


class OutOfMemoryError(RuntimeError):
    """Named as torch's own."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("a"), 2),
        (errors.ScanError("a"), 4),
        (errors.GridError("a"), 4),
        (errors.DataError("a"), 4),
        (errors.WeightsError("a"), 5),
        (errors.BackendError("a"), 7),
        (errors.RmaMambaError("a"), 1),
        (MemoryError(), 6),
        (OutOfMemoryError("CUDA out of memory"), 6),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 6),
        (RuntimeError("a"), 1),
        (KeyError("a"), 1),
    ],
    ids=repr,
)
def test_each_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exit_code_of(error) == code


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (RuntimeError("can't start new thread"), "no thread can be started"),
        (BlockingIOError(11, "Resource temporarily unavailable", "/name"), "temporarily"),
        (OSError(24, "Too many open files", "/home/Doe/scan.nii"), "Too many open files"),
    ],
)
def test_a_limit_of_the_system_is_named(error: Exception, named: str) -> None:
    message = error_message(error)
    assert named in message
    assert "ulimit" in message
    assert "bug" not in message
    assert "/" not in message.replace("I/O", "")
    assert exit_code_of(error) == ExitCode.INTERNAL_ERROR


def test_every_error_class_has_a_code_of_its_own() -> None:
    for kind in errors.RmaMambaError.__subclasses__():
        assert exit_code_of(kind("a")) != ExitCode.INTERNAL_ERROR, kind.__name__


def test_an_error_caused_by_lack_of_memory_is_out_of_memory() -> None:
    error = errors.ScanError("a")
    error.__cause__ = MemoryError()
    assert exit_code_of(error) == ExitCode.OUT_OF_MEMORY
    assert error_message(error).startswith("out of memory")


def test_messages_are_one_line() -> None:
    assert error_message(errors.ScanError("found\n  this;\texpected that.")) == (
        "found this; expected that."
    )


def test_the_text_of_an_unexpected_error_is_not_shown() -> None:
    message = error_message(ValueError("/data/Doe_John"))
    assert "Doe" not in message
    assert "unexpected ValueError; this is a bug in rma-mamba" in message


def test_codes_of_signals_are_those_of_shells() -> None:
    assert (ExitCode.INTERRUPTED, ExitCode.TERMINATED) == (128 + 2, 128 + 15)


def test_no_other_file_decides_an_exit_code() -> None:
    source = Path(errors.__file__).parent
    found = [
        path.name
        for path in source.rglob("*.py")
        if re.search(r"(sys\.exit|typer\.Exit|_exit)\(\d", path.read_text())
    ]
    assert found == []
