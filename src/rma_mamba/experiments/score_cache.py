"""Scores of a network stored in its run folder, so that an interrupted benchmark can be resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydantic
from pydantic import ConfigDict, TypeAdapter

from rma_mamba.evaluation import CaseScore
from rma_mamba.files import replace_file


class _StoredScores(pydantic.BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")

    fingerprint: str
    cases: list[CaseScore]


_STORED_SCORES = TypeAdapter(_StoredScores)


def fingerprint(*inputs: Any) -> str:
    """SHA-256 of the inputs of a result: bytes, or anything that JSON can represent."""
    digest = hashlib.sha256()
    for value in inputs:
        digest.update(
            value if isinstance(value, bytes) else json.dumps(value, sort_keys=True).encode()
        )
        digest.update(b"\0")
    return digest.hexdigest()


def save_scores(path: Path, key: str, cases: Sequence[CaseScore]) -> None:
    """Store the scores of a network.

    Args:
        path: File to write.
        key: Fingerprint of the inputs of the scores.
        cases: The scores.

    Raises:
        ScanError: The file cannot be written.
    """
    stored = _StoredScores(fingerprint=key, cases=list(cases))
    replace_file(path, _STORED_SCORES.dump_json(stored), "scores")


def load_scores(path: Path, *keys: str) -> list[CaseScore] | None:
    """The stored scores; None if there are none, or if they were computed from other inputs.

    Args:
        path: The file.
        keys: Fingerprints of the inputs; scores with any of them are accepted.
    """
    try:
        stored = _STORED_SCORES.validate_json(path.read_bytes())
    except (OSError, pydantic.ValidationError):
        return None
    return stored.cases if stored.fingerprint in keys else None
