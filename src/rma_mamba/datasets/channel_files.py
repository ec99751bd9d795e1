"""Files of cases with several scans: each channel is a folder, or a folder with a pattern of file names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from rma_mamba.conventions import strip_suffix

ANY = "*"  # in a pattern: the name of the case

# Name of the case to the file of each channel that it has, in the order of the channels.
CaseFiles = dict[str, dict[str, Path]]


def channel_folder(place: str) -> tuple[str, str]:
    """The folder of a channel and the pattern of its file names, which is "" for all files of the folder."""
    path = PurePosixPath(place)
    return (str(path.parent), path.name) if ANY in path.name else (place, "")


def channel_files(
    root: Path,
    channels: Mapping[str, str],
    listing: Callable[[Path], list[Path]],
    suffixes: Sequence[str],
) -> CaseFiles:
    """The files of all cases, by name of the case and by channel.

    Args:
        root: The folder that the places of the channels are relative to.
        channels: Folder of each channel, or folder and pattern.
        listing: Lists the files of a folder.
        suffixes: Endings of the file names that are read, in lower case.
    """
    found: dict[str, dict[str, Path]] = {}
    for name, place in channels.items():
        folder, pattern = channel_folder(place)
        for path in listing(root / folder):
            case = _case_in(path.name, pattern, suffixes)
            if case is not None and path.name.lower().endswith(tuple(suffixes)):
                found.setdefault(case, {})[name] = path
    return {case: found[case] for case in sorted(found)}


def _case_in(file_name: str, pattern: str, suffixes: Sequence[str]) -> str | None:
    """The name of the case in a file name; None if it does not fit the pattern."""
    if not pattern:
        return strip_suffix(file_name, suffixes)
    before, _, after = pattern.partition(ANY)
    match = re.fullmatch(
        f"{re.escape(before)}(.+){re.escape(after).replace(re.escape(ANY), '.*')}", file_name
    )
    return None if match is None else strip_suffix(match[1], suffixes)
