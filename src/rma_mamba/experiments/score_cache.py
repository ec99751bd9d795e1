"""What is kept of a network's row, so that a benchmark resumes where it stopped."""

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


class _Record(pydantic.BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")

    fingerprint: str
    cases: list[CaseScore]


_RECORDS = TypeAdapter(_Record)


def fingerprint(*parts: Any) -> str:
    """SHA-256 of what a result depends on: bytes, or anything that JSON holds."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(
            part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode()
        )
        digest.update(b"\0")
    return digest.hexdigest()


def keep_scores(path: Path, made_of: str, cases: Sequence[CaseScore]) -> None:
    """Keep the scores of a network beside what they were made of.

    Raises:
        ScanError: The file cannot be written.
    """
    record = _Record(fingerprint=made_of, cases=list(cases))
    replace_file(path, _RECORDS.dump_json(record), "scores")


def kept_scores(path: Path, made_of: str) -> list[CaseScore] | None:
    """The scores that were kept; None: there are none, or they are of something else."""
    try:
        record = _RECORDS.validate_json(path.read_bytes())
    except (OSError, pydantic.ValidationError):
        return None
    return record.cases if record.fingerprint == made_of else None
