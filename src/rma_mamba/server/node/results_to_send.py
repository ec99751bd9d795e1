"""The objects that are sent, and what may happen to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rma_mamba.errors import ScanError
from rma_mamba.scans.dicom_probe import identify_object


class UnreachableError(Exception):
    """The destination did not answer, or the connection was lost: it may or may not have the object."""


class RejectedError(Exception):
    """The destination answered that it does not take the object; the text has no patient data."""


class NotNowError(RejectedError):
    """The destination takes nothing at present, whatever the object: its disk is full, or a password is wrong."""


@dataclass(frozen=True)
class SentObject:
    """A DICOM file with what identifies it.

    Args:
        path: The file.
        study: StudyInstanceUID.
        series: SeriesInstanceUID.
        instance: SOPInstanceUID.
        sop_class: SOPClassUID.
    """

    path: Path
    study: str
    series: str
    instance: str
    sop_class: str

    @classmethod
    def from_file(cls, path: Path) -> SentObject:
        """The object in a file.

        Raises:
            ScanError: The file is not a DICOM object.
        """
        found = identify_object(path)
        if found is None:
            raise ScanError(
                "a result is not a DICOM file; expected one. Segment the study again, and send that."
            )
        return cls(path, found.study, found.series, found.instance, found.sop_class)


class Connection(Protocol):
    """An open connection to a destination."""

    def send(self, sent: SentObject) -> None:
        """Send one object.

        Raises:
            UnreachableError: The connection was lost.
            RejectedError: The destination does not take the object.
        """

    def holds(self, sent: SentObject) -> bool | None:
        """Whether the destination has the object; None if it does not answer such questions."""

    def close(self) -> None:
        """End the connection."""


class Destination(Protocol):
    """An archive."""

    def connect(self, objects: Sequence[SentObject]) -> Connection:
        """Connect to send these objects.

        Raises:
            UnreachableError: The archive does not answer.
            RejectedError: It rejects the connection.
        """

    def echo(self) -> None:
        """Check that it answers; errors as for `connect`."""
