"""Which patient a scan is of, as a pseudonym, so that all scans of a patient are in one split."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from rma_mamba.environment import user_folder
from rma_mamba.errors import ScanError
from rma_mamba.pipeline.pseudonyms import Pseudonyms
from rma_mamba.volume import Volume

KEY_FILE = "patients.key"

_DIGITS = 12


class Patients:
    """Pseudonyms of patients. Their key stays beside the results: who has the dataset alone cannot guess an ID.

    Args:
        folder: Folder of the key; if it cannot be written, that of the user's own files is used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _pseudonyms(self) -> Pseudonyms:
        """With the key, which is made for the first DICOM scan."""
        try:
            return Pseudonyms(self._folder / KEY_FILE)
        except ScanError:  # results on a medium that cannot be written
            return Pseudonyms(user_folder() / KEY_FILE)

    def of(self, scan: Volume) -> str | None:
        """The pseudonym of the patient of a DICOM scan; None for other formats, and without ID and name.

        The ID alone decides if there is one: names are spelled in several ways.

        Raises:
            ScanError: The key cannot be kept anywhere.
        """
        if scan.source_images is None:
            return None
        from rma_mamba.scans.dicom_source_headers import patient_id_and_name  # imports pydicom

        identity, name = "", ""
        with suppress(OSError):  # the file was removed
            identity, name = map(_plain, patient_id_and_name(scan.source_images))
        stated = ("id", identity.lstrip("0 ") or identity) if identity else ("name", name)
        return f"p{self._pseudonyms.of(*stated)[:_DIGITS]}" if stated[1] else None


def _plain(text: str) -> str:
    """Letters and digits of a text, without case and punctuation: "DOE^JOHN" and "Doe, John" are equal."""
    return " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold()))
