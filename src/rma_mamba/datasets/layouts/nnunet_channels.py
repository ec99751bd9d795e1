"""Channels of nnU-Net cases: CASE_0000.nii.gz, CASE_0001.nii.gz, named in dataset.json."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rma_mamba.datasets.layouts.listing import scan_files

FIRST = "_0000"
CHANNEL = re.compile(r"(.+)_(\d{4})")  # a case and the number of its channel

CaseChannels = dict[str, dict[str, Path]]  # name of the case to its files by name of the channel


def channel_names(description: Mapping[str, Any]) -> dict[str, str]:
    """The name of each channel by its number, "0000" and so on, as dataset.json states it (version 1: modality)."""
    found = description.get("channel_names") or description.get("modality")
    pairs = found.items() if isinstance(found, dict) else ()
    return {f"{int(number):04}": str(name) for number, name in pairs if str(number).isdecimal()}


def case_channels(folder: Path, names: Mapping[str, str]) -> CaseChannels:
    """The files of all cases of a folder by channel; a channel without a name has its number.

    Args:
        folder: `imagesTr` or `imagesTs`.
        names: As `channel_names` returns them.
    """
    found: CaseChannels = {}
    for name, path in scan_files(folder).items():
        match = CHANNEL.fullmatch(name)
        if match:
            found.setdefault(match[1], {})[names.get(match[2], match[2])] = path
    return found


def unused_channels_note(names: Iterable[str]) -> str:
    """A sentence about channels that are not used, and how to use them."""
    chosen = " ".join(f"--channel {shlex.quote(name)}" for name in names)
    use_all = f" Use all of them with {chosen}." if chosen else ""
    return f"Cases have several channels: only the first ({FIRST}) is used.{use_all}"
