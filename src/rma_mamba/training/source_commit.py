"""The commit that the running code belongs to."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import distribution
from pathlib import Path

from rma_mamba.conventions import SOFTWARE_NAME

_TIMEOUT_S = 10


def source_commit() -> str | None:
    """The commit of the running code, with "-dirty" after it if files were changed; None if unknown.

    It is known if the package runs from a git repository of its own, or was installed by pip from one.
    """
    return _of_repository(Path(__file__).resolve().parents[3]) or _of_installation()


def _of_repository(folder: Path) -> str | None:
    # a package that is installed in an environment inside another repository does not belong to that one
    if not (folder / ".git").exists():
        return None
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        found = subprocess.run(
            [*command, "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def _of_installation() -> str | None:
    """The commit that pip recorded (PEP 610)."""
    record = distribution(SOFTWARE_NAME).read_text("direct_url.json")
    commit = json.loads(record or "{}").get("vcs_info", {}).get("commit_id")
    return None if commit is None else str(commit)
