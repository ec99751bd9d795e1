import io
import sys

import pytest

from rma_mamba.cli.console import Console
from rma_mamba.cli.progress_bar import bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("done", "passed_s", "left"),
    [(0, 5.0, ""), (1, 10.0, "0:30"), (2, 70.0, "1:10"), (4, 9.0, "0:00")],
)
def test_the_bar_shows_the_time_left(done: int, passed_s: float, left: str) -> None:
    line = bar("Segmenting", done, 4, passed_s)
    assert f"{done}/4" in line
    assert line.count("#") == round(30 * done / 4)
    assert line.endswith(f"{left} left" if left else "0/4")


def test_on_a_terminal_the_bar_is_erased_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Console().progress("Segmenting") as progress:
        progress(1, 2)
        progress(2, 2)
    assert "2/2" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(("stream", "quiet"), [(io.StringIO, False), (Terminal, True)])
def test_without_a_terminal_or_if_quiet_nothing_is_drawn(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], quiet: bool
) -> None:
    stderr = stream()
    monkeypatch.setattr(sys, "stderr", stderr)
    with Console(quiet=quiet).progress("Segmenting") as progress:
        progress(1, 2)
    assert stderr.getvalue() == ""
