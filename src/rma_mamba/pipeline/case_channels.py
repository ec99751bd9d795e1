"""Several scans of one patient as channels of one case: which files they are, and reading them.

Channels are named on the command line, or recognised by the names of files and folders: `CASE_0000.nii.gz` and
`CASE_0001.nii.gz` as in nnU-Net, `CASE_T1.nii.gz`, `CASE/T1.nii.gz`, `T1/CASE.nii.gz`, or the folders of DICOM series
`CASE/T1`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rma_mamba.conventions import SCAN_SUFFIXES, strip_suffix
from rma_mamba.errors import ConfigError, RmaMambaError, ScanError
from rma_mamba.folder_tree import as_text, visible
from rma_mamba.inference.runtimes import ONNX_SUFFIX
from rma_mamba.pipeline.discovery import Case, ChannelScan, search

if TYPE_CHECKING:
    from rma_mamba.pipeline.request import ReadOptions
    from rma_mamba.volume import Volume

_EMBEDDED = "default"


@dataclass(frozen=True)
class _Match:
    """What the name of a file or folder says: the case, "" for that of its folder, and the channel."""

    case: str
    channel: str


def network_channels(model: str, *, named: bool = False) -> tuple[str, ...]:
    """Names of the channels of a network; none if it takes a single scan.

    Args:
        model: "default", a weights file or an ONNX file.
        named: Whether the user has named channels. If not, weights that cannot be read have none, because that is
            reported when they are loaded.

    Raises:
        RmaMambaError: Channels were named, and the weights cannot be read.
    """
    if model == _EMBEDDED:
        return ()
    try:
        names = _recipe_in(Path(model)).get("channel_names", ())
    except RmaMambaError:
        if named:
            raise
        return ()
    return tuple(str(name) for name in names)


def _recipe_in(path: Path) -> dict[str, Any]:
    if path.suffix.lower() == ONNX_SUFFIX:
        from rma_mamba.inference.onnx_network import onnx_recipe

        return onnx_recipe(path)
    from rma_mamba.models.stored_weights import stored_recipe

    return stored_recipe(path)


def named_channels(
    channels: Mapping[str, str], scan: Path | None, known: Sequence[str]
) -> tuple[ChannelScan, ...]:
    """The scans that a user has named.

    Args:
        channels: The path of each; with `scan`, its series.
        scan: A DICOM folder, archive or study that contains all of them; None: each has a path of its own.
        known: Channels of the network, which determine the order.

    Raises:
        ConfigError: The network has no such channel.
    """
    unknown = [name for name in channels if name not in known]
    if unknown:
        takes = f"the channels {', '.join(known)}" if known else "a single scan, with --input"
        raise ConfigError(
            f"the network has no channel {unknown[0]}; expected {takes}. Correct --channel, or choose another --model."
        )
    return tuple(
        ChannelScan(name, scan, channels[name])
        if scan is not None
        else ChannelScan(name, Path(channels[name]))
        for name in known
        if name in channels
    )


def channels_in(folder: Path, names: Sequence[str]) -> tuple[ChannelScan, ...]:
    """The channels of a case whose folder has a file or folder for each; none if there is no such name in it."""
    if not folder.is_dir():
        return ()
    found: dict[str, ChannelScan] = {}
    for path in visible(folder.iterdir()):
        match = _match(path, names)
        if match is None or match.case or (path.is_dir() and search(path).cases is not None):
            continue  # a folder of several scans is not a channel of one case
        if match.channel not in found:
            found[match.channel] = ChannelScan(match.channel, path)
    return tuple(found[name] for name in names if name in found)


def cases_with_channels(cases: Iterable[Case], names: Sequence[str]) -> list[Case]:
    """Cases of single scans joined to those of a network with several channels, by their names.

    Scans whose name contains no channel remain cases, which fail when they are segmented.

    Raises:
        ConfigError: Two files are the same channel of a case.
    """
    found: dict[str, dict[str, ChannelScan]] = {}
    others: list[Case] = []
    for case in cases:
        inside = channels_in(case.scan, names)
        place = _place(case, names)
        if inside:
            others.append(replace(case, scan=inside[0].scan, channels=inside))
        elif place is None:
            others.append(case)
        else:
            name, channel = place
            channels = found.setdefault(name, {})
            if channel in channels:
                raise ConfigError(
                    f"{as_text(channels[channel].scan.name)} and {as_text(case.scan.name)} are both the channel "
                    f"{channel} of one case; expected one file for each channel. Remove one of them."
                )
            channels[channel] = ChannelScan(channel, case.scan)
    joined = []
    for name, channels in found.items():
        ordered = tuple(channels[each] for each in names if each in channels)
        joined.append(Case(ordered[0].scan, name, channels=ordered))
    return sorted([*joined, *others], key=lambda case: case.name)


def read_case(case: Case, reading: ReadOptions, *, any_study: bool = False) -> Volume:
    """Read the scan of a case; of several channels, all of them on the grid of the first.

    Args:
        case: The case.
        reading: How scans are read.
        any_study: As in `ReadOptions.read`.

    Raises:
        ScanError: A scan cannot be read, or DICOM series are of different patients.
        GridError: The channels are on different grids.
    """
    if not case.channels:
        return reading.read(case.scan, case.volume, any_study=any_study)
    from rma_mamba.slicing import joined
    from rma_mamba.slicing.aligned_scans import file_names

    scans = {
        each.name: replace(reading, series=each.series or reading.series).read(
            each.scan, any_study=any_study
        )
        for each in case.channels
    }
    names = file_names({each.name: each.scan for each in case.channels})
    shown = {each.name: _shown(each, names[each.name]) for each in case.channels}
    warnings = _check_same_patient(scans)
    volume = joined(scans, shown, resample=reading.resample)
    return replace(volume, warnings=(*volume.warnings, *warnings))


def _shown(channel: ChannelScan, name: str) -> str:
    return name if channel.series is None else f"{name}, series {channel.series}"


def _check_same_patient(scans: Mapping[str, Volume]) -> list[str]:
    """Warnings about DICOM series whose positions may not be comparable.

    Raises:
        ScanError: Two series are of different patients.
    """
    dicom = {name: scan.source_images for name, scan in scans.items() if scan.source_images}
    if len(dicom) < 2:
        return []
    from rma_mamba.scans.dicom_source_headers import patient_and_frame

    origins = {name: patient_and_frame(images) for name, images in dicom.items()}
    first, *others = origins
    warnings = []
    for name in others:
        (patient, frame), (own_patient, own_frame) = origins[first], origins[name]
        if patient and own_patient and patient != own_patient:
            raise ScanError(
                f"the channels {first} and {name} have different patient IDs; expected scans of one patient. "
                "Choose other series."
            )
        if frame and own_frame and frame != own_frame:
            warnings.append(
                f"The channels {first} and {name} have different frames of reference: whether their positions can be "
                "compared is unknown."
            )
    return warnings


def _place(case: Case, names: Sequence[str]) -> tuple[str, str] | None:
    """Name of the case that a scan belongs to, and its channel; None if its path names no channel."""
    *folders, _ = case.name.split("/")
    match = _match(case.scan, names)
    if match is not None:
        return "/".join(
            part for part in (*folders, match.case) if part
        ) or match.channel, match.channel
    match = _match(case.scan.parent, names) if folders else None
    if match is None or match.case:
        return None
    parts = case.name.split("/")
    return "/".join((*parts[:-2], parts[-1])), match.channel


def _match(path: Path, names: Sequence[str]) -> _Match | None:
    """The case and channel in the name of a file or folder; None if it names no channel."""
    stem = path.name if path.is_dir() else strip_suffix(path.name, SCAN_SUFFIXES)
    numbers = {f"{number:04}": name for number, name in enumerate(names)}
    for text, name in (*((_plain(each), each) for each in names), *numbers.items()):
        match = re.fullmatch(rf"(?:(.+?)[-_ ])?{re.escape(text)}", _plain(stem))
        if match and (match[1] or text not in numbers):
            return _Match(as_text(stem[: len(match[1] or "")]), name)
    return None


def _plain(name: str) -> str:
    """A name in lower case, with one kind of separator, of the same length."""
    return re.sub(r"[-_ ]", "_", name.lower())
