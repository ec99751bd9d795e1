import subprocess
import sys
from pathlib import Path

import pytest

from rma_mamba import errors

SECRET = "patient Doe"


class OutOfMemoryError(RuntimeError):
    """Named as torch's own."""


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (errors.ConfigError("a; b. c."), 2),
        (errors.ScanError("a; b. c."), 4),
        (errors.GridError("a; b. c."), 4),
        (errors.WeightsError("a; b. c."), 5),
        (errors.BackendError("a; b. c."), 7),
        (errors.RmaMambaError("a; b. c."), 1),
        (MemoryError(), 6),
        (OutOfMemoryError("CUDA out of memory"), 6),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 6),
        (ZeroDivisionError(SECRET), 1),
        (EOFError(SECRET), 1),  # the following two Typer takes for an interrupt
        (BrokenPipeError(32, SECRET), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_every_failure_prints_one_line_and_has_its_exit_code(
    command, segmenter, scan, tmp_path, failure: Exception, code: int
) -> None:
    segmenter.failure = failure
    out = tmp_path / "liver.nii.gz"
    done = command("segment", "-i", scan, "-o", out)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("rma-mamba: error: ")
    assert done.err.count("\n") == 1
    assert SECRET not in done.err
    assert not out.exists()


def test_a_failure_caused_by_lack_of_memory_is_out_of_memory(command, segmenter, scan, tmp_path):
    segmenter.failure = errors.ScanError("a; b. c.")
    segmenter.failure.__cause__ = MemoryError()
    assert command("segment", "-i", scan, "-o", tmp_path / "o.nii").code == 6


def test_verbose_shows_where_an_unexpected_failure_happened(command, segmenter, scan, tmp_path):
    segmenter.failure = ZeroDivisionError("here")
    arguments = ("segment", "-i", scan, "-o", tmp_path / "o.nii")
    assert "--verbose" in command(*arguments).err
    assert "Traceback" not in command(*arguments).err
    assert "Traceback" in command(*arguments, "--verbose").err


def test_an_interrupt_exits_with_130_and_leaves_nothing(command, segmenter, scan, tmp_path) -> None:
    segmenter.failure = KeyboardInterrupt()
    done = command("segment", "-i", scan, "-o", tmp_path / "liver.nii.gz")
    assert done.code == 130
    assert "Traceback" not in done.err
    assert not (tmp_path / "liver.nii.gz").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["segment"],
        ["segment", "-i", "scan.nii"],
        ["segment", "--no-such-option"],
        ["segment", "-i", "a", "-o", "b", "--modality", "PET"],
        ["segment", "-i", "a", "-o", "b", "--batch-size", "0"],
        ["no-such-command"],
        ["train"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(command, arguments: list[str]) -> None:
    done = command(*arguments)
    assert done.code == 2
    assert "Traceback" not in done.err


def test_an_unknown_modality_is_a_one_line_error(command) -> None:
    for arguments in (("segment", "-i", "a", "-o", "b"), ("measure", "a")):
        done = command(*arguments, "--modality", "PET")
        assert done.err == (
            "rma-mamba: error: the modality is 'PET'; expected CT or MR. Write --modality CT, for example.\n"
        )


def test_a_usage_error_is_without_internal_words(command) -> None:
    done = command("evaluate", "default", "--split", "x")
    assert done.err.endswith(
        "Error: Invalid value for '--split': 'x' is not one of 'val', 'test'.\n"
    )


def test_a_number_out_of_range_is_an_error_with_the_range(command) -> None:
    done = command("segment", "-i", "a", "-o", "b", "--batch-size", "0")
    assert done.err.endswith("'--batch-size': expected a value greater than or equal to 1\n")
    done = command("measure", "mask.nii", "--label", "x")
    assert done.err.endswith("'--label': expected a valid integer\n")


def test_invalid_input_is_a_one_line_error_in_a_real_process(scan: Path, tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.nii.gz"
    truncated.write_bytes(scan.read_bytes()[:-40])
    text = tmp_path / "text.nii.gz"
    text.write_text("not a scan")
    (tmp_path / "empty").mkdir()
    out = tmp_path / "liver.nii.gz"
    for bad in (truncated, text, tmp_path / "empty", tmp_path / "missing.nii.gz"):
        arguments = ["segment", "-i", str(bad), "-o", str(out)]
        done = subprocess.run(
            [sys.executable, "-m", "rma_mamba", *arguments], capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (4, ""), bad.name
        assert done.stderr.startswith("rma-mamba: error: ")
        assert done.stderr.count("\n") == 1
        assert str(tmp_path) not in done.stderr
    assert not out.exists()
