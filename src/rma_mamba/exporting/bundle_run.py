"""What `configs/inference.json` of a MONAI bundle calls: find the scans, load the network, segment and write."""

from __future__ import annotations

import logging
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial, wraps
from itertools import pairwise
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import pydantic
import torch

from rma_mamba.errors import ConfigError, RmaMambaError, ScanError, WeightsError
from rma_mamba.exporting.finest_logits import PREFIX, FinestLogits
from rma_mamba.inference import Segmenter
from rma_mamba.models.weights import tensors_sha256
from rma_mamba.pipeline import (
    Case,
    NetworkOptions,
    SegmentRequest,
    error_message,
    find_cases,
    segment_cohort,
)
from rma_mamba.pipeline.case_channels import cases_with_channels, channels_in
from rma_mamba.pipeline.cohort import CaseOutcome, try_case
from rma_mamba.pipeline.discovery import ChannelScan, case_name, check_unique_names
from rma_mamba.pipeline.messages import Messages, Progress, ignore_progress
from rma_mamba.setting_errors import as_config_error
from rma_mamba.slicing import SliceRecipe

Item = dict[str, Any]  # of the dataset
IMAGE, NAME, CHANNELS = "image", "name", "channels"  # its keys

_CONFIG_OPTION = "--config_file"
_logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


def _logged(function: Callable[P, R]) -> Callable[P, R]:
    """Log an error of this package, which MONAI raises again with another message."""

    @wraps(function)
    def call(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            return function(*arguments, **options)
        except RmaMambaError as error:
            _logger.error(error_message(error))
            raise

    return call


def bundle_root() -> str:
    """Folder of the bundle whose configuration MONAI's command was called with; else the current folder."""
    words = [part for word in sys.argv for part in word.split("=", 1)]
    for option, value in pairwise(words):
        if option == _CONFIG_OPTION and Path(value).resolve().parent.name == "configs":
            return str(Path(value).resolve().parents[1])
    return "."


@_logged
def find_scans(
    path: str | Path, output_dir: str | Path | None = None, channel_names: Sequence[str] = ()
) -> list[Item]:
    """The scans at a path, as items of a dataset.

    Args:
        path: A scan, or a folder of scans, in any format that `rma-mamba segment` reads.
        output_dir: Folder of the results, which is not searched.
        channel_names: Channels of a network that takes several scans of a patient; they are recognised by their names.

    Raises:
        ScanError: There are no scans.
        ConfigError: Two scans would share an output folder.
    """
    path = Path(path)
    if not path.exists():
        raise ConfigError(
            "the folder of the scans does not exist; expected a scan or a folder of scans. Add --dataset_dir PATH."
        )
    inside = channels_in(path, channel_names) if channel_names else ()
    if inside:
        cases = [Case(inside[0].scan, case_name(path), channels=inside)]
    else:
        cases = find_cases(path, results=output_dir)
        cases = cases_with_channels(cases, channel_names) if channel_names else cases
    return [_item(case) for case in cases]


def _item(case: Case) -> Item:
    item: Item = {IMAGE: str(case.scan), NAME: case.name}
    if case.channels:
        item[CHANNELS] = {each.name: str(each.scan) for each in case.channels}
    return item


def _case(item: Item) -> Case:
    path = Path(item[IMAGE])
    channels = tuple(ChannelScan(name, Path(scan)) for name, scan in item.get(CHANNELS, {}).items())
    return Case(path, item.get(NAME) or case_name(path), channels=channels)


@_logged
def load_segmenter(
    network: FinestLogits,
    checkpoint: str | Path,
    recipe: Mapping[str, Any],
    *,
    device: torch.device | str = "cpu",
    fast: bool = False,
) -> Segmenter:
    """Load the weights of a bundle into its network.

    Args:
        network: The network of the bundle; receives the weights.
        checkpoint: `models/model.pt`.
        recipe: Fields of the slice recipe.
        device: Device of the network.
        fast: Skip multi-scale test-time augmentation.

    Raises:
        WeightsError: The weights are missing, corrupt or do not fit the network.
        ConfigError: The slice recipe is invalid.
        BackendError: The device cannot be used.
    """
    state = _read_state(Path(checkpoint))
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise WeightsError(
            "the weights of the bundle do not fit its network; expected a state_dict of network_def. Restore "
            "models/model.pt and configs/inference.json."
        ) from None
    try:
        slices = SliceRecipe.model_validate(recipe)
    except pydantic.ValidationError as error:
        raise as_config_error(error, SliceRecipe, "the slice recipe of the bundle") from None
    own = {name.removeprefix(PREFIX): tensor for name, tensor in state.items()}
    return Segmenter(
        network.network,
        slices,
        device=str(device),
        fast=fast,
        weights_sha256=tensors_sha256(own),
    )


class ScanEvaluator:
    """Segments all scans of a dataset, as `rma-mamba segment` does; MONAI's workflow calls `run`.

    Args:
        segmenter: The network.
        dataset: Items with the path of a scan as `image` and, optionally, the name of its output folder as `name` and
            the path of each scan of a network with several channels as `channels`.
        output_dir: Folder of the results: `<name>/liver.nii.gz` and `<name>/run.json`.
        outputs: Output types in addition to the mask, such as "statistics" or "preview".
        checkpoint: Path of the weights, and
        fast: whether test-time augmentation is skipped, for run.json.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        dataset: Sequence[Item],
        output_dir: str | Path,
        outputs: Sequence[str] | str = (),
        *,
        checkpoint: str | Path,
        fast: bool = False,
    ) -> None:
        self.segmenter, self.dataset, self.output_dir = segmenter, dataset, Path(output_dir)
        names = outputs.split(",") if isinstance(outputs, str) else outputs
        self.request = SegmentRequest(
            NetworkOptions(model=str(checkpoint), fast=fast), outputs=tuple(names)
        )

    @_logged
    def run(self) -> None:
        """Segment all scans. A scan that fails does not stop the others.

        Raises:
            ScanError: There are no scans.
            ConfigError: The results cannot be written, or two scans would share a folder.
            RmaMambaError: Some scans failed; `errors.jsonl` in the output folder lists them.
        """
        cases = [_case(self.dataset[number]) for number in range(len(self.dataset))]
        if not cases:
            raise ScanError(
                "there are no scans in the folder; expected at least one. Correct --dataset_dir."
            )
        check_unique_names(cases, Path())
        engine = partial(_segment, self.segmenter)
        failed = segment_cohort(cases, self.output_dir, self.request, LoggedMessages(), engine)
        if failed:
            raise RmaMambaError(
                f"{len(failed)} of {len(cases)} scans failed, such as: {failed[0].message} See errors.jsonl in the "
                "output folder."
            )


class LoggedMessages:
    """Messages in the log of MONAI."""

    def warn(self, sentences: Iterable[str]) -> None:
        """Log warnings."""
        for text in sentences:
            _logger.warning(text)

    def fail(self, text: str) -> None:
        """Log an error."""
        _logger.error(text)

    def note(self, text: str) -> None:
        """Log a note."""
        _logger.info(text)

    def detail(self, text: str) -> None:
        """Log a detail."""
        _logger.debug(text)

    def progress(self, label: str) -> AbstractContextManager[Progress]:
        """Log the beginning of a task."""
        _logger.info(label)
        return nullcontext(ignore_progress)


def _segment(
    segmenter: Segmenter, cases: list[Case], out: Path, request: SegmentRequest, messages: Messages
) -> Iterator[CaseOutcome]:
    for number, case in enumerate(cases, 1):
        with messages.progress(f"Case {number}/{len(cases)}") as progress:
            outcome = try_case(case, out, request, segmenter, progress)
        yield case, outcome


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise WeightsError(
            "the weights of the bundle (models/model.pt) do not exist in bundle_root; expected the folder of the "
            "bundle. Add --bundle_root FOLDER."
        )
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, TypeError):
        raise WeightsError(
            f"{path.name} is corrupt or not a state_dict; expected the weights of the bundle. Export it again."
        ) from None
