"""Messages: what the pipeline reports, and to whom."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rma_mamba.cli.console import Console
from rma_mamba.pipeline import NoMessages, find_cases, segment_cohort
from rma_mamba.pipeline.messages import Messages


@dataclass
class Collected:
    """Messages kept in lists, as a server would keep them."""

    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def warn(self, sentences: Iterable[str]) -> None:
        self.warnings += sentences

    def fail(self, text: str) -> None:
        self.errors.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def detail(self, text: str) -> None:
        self.notes.append(text)

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int], None]]:
        self.labels.append(label)
        yield lambda done, total: None


def test_a_cohort_reports_to_any_receiver(segmenter, scan: Path, tmp_path: Path) -> None:
    (scan.parent / "Doe.nii.gz").write_bytes(b"not a scan")
    segmenter.warnings = ("One thing.",)
    messages = Collected()
    failed = segment_cohort(find_cases(scan.parent), tmp_path / "out", messages=messages)
    assert [case.case for case in failed] == ["Doe"]
    assert messages.labels == ["Case 1/2", "Case 2/2"]
    assert messages.warnings == ["[2/2] One thing."]
    assert messages.notes[-1] == "1 of 2 cases completed."
    assert messages.errors[-1] == "1 of 2 cases failed; see errors.jsonl."
    assert not any("Doe" in text for text in (*messages.errors, *messages.notes))


@pytest.mark.parametrize("messages", [NoMessages(), Console(quiet=True)], ids=["none", "quiet"])
def test_a_receiver_that_discards_messages_prints_nothing(
    messages: Messages, capfd: pytest.CaptureFixture[str]
) -> None:
    messages.note("a")
    messages.detail("b")
    with messages.progress("c") as progress:
        progress(1, 2)
    if isinstance(messages, NoMessages):
        messages.warn(["d"])
        messages.fail("e")
    assert capfd.readouterr() == ("", "")
