"""Pseudonyms of studies in file names and logs: the same for the same UID, and meaningless without the secret key."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from rma_mamba.files import replace_file

_KEY_BYTES = 32
_DIGITS = 20


class Pseudonyms:
    """Pseudonyms with the key in a file, which is created on first use with access for the owner only."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            replace_file(path, secrets.token_bytes(_KEY_BYTES), "key of the pseudonyms")
            path.chmod(0o600)
        self._key = path.read_bytes()

    def of(self, *parts: str) -> str:
        """The pseudonym of a UID, 20 hexadecimal digits."""
        message = "\0".join(parts).encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()[:_DIGITS]
