"""The trials of a sweep in Optuna's journal storage, and the only file that imports Optuna.

A trial is stored in one step when its values are chosen, and finished in one step, so that a process that is killed at
any moment leaves a journal that can be continued. Values and pruning depend on the trials before, their results and a
seed of their own for each trial, and not on how often the sweep was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from rma_mamba.errors import ConfigError
from rma_mamba.experiments.sweep.search_space import Choice, Range, SearchSpace, Values

JOURNAL = "journal.log"
STUDY = "sweep"
State = Literal["running", "complete", "pruned", "failed"]

_STATES: dict[State, TrialState] = {
    "running": TrialState.RUNNING,
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
_RANDOM_TRIALS = 5  # before a model of the results is fitted
_TRIALS_BEFORE_PRUNING = 3
_GRACE_S = 3  # of a lock that a killed process left; only one process writes


@dataclass(frozen=True)
class Trial:
    """A choice of values and what came of it.

    Args:
        number: From 0.
        values: The settings.
        state: Whether it is running, complete, pruned or failed.
        dice: The best validation Dice of the run of each seed.
        history: The validation Dice of each epoch of the first seed.
        remark: Why it failed, or which trial has the same values.
    """

    number: int
    values: Values
    state: State = "running"
    dice: tuple[float, ...] = ()
    history: tuple[float, ...] = ()
    remark: str = ""

    @property
    def mean(self) -> float | None:
        """Mean Dice over seeds; None without a run that ended."""
        return sum(self.dice) / len(self.dice) if self.dice else None


class SweepJournal:
    """The trials of a sweep.

    Args:
        folder: Folder of the sweep.
        space: Settings and their values.
        seed: Seed of the first trial; trial n has `seed + n`.

    Raises:
        ConfigError: The journal is damaged.
    """

    def __init__(self, folder: Path, space: SearchSpace, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.seed = space, seed
        path = folder / JOURNAL
        _drop_unfinished_line(path)
        lock = JournalFileOpenLock(str(path), grace_period=_GRACE_S)
        try:
            self.storage = JournalStorage(JournalFileBackend(str(path), lock))
            if STUDY not in [each.study_name for each in self.storage.get_all_studies()]:
                optuna.create_study(storage=self.storage, study_name=STUDY, direction="maximize")
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{JOURNAL} in the folder {folder.name} is damaged; expected the journal of a sweep. Restore it from "
                "a backup, or choose another folder with --output FOLDER."
            ) from error
        self.study_id = self.storage.get_study_id_from_name(STUDY)

    def trials(self) -> list[Trial]:
        """All trials so far, by their number."""
        return [self._trial(each) for each in self._stored()]

    def start(self, values: Values) -> Trial:
        """Store a new trial."""
        distributions = self._distributions()
        params = {name: _param(self.space[name], text) for name, text in values.items()}
        frozen = create_trial(state=TrialState.RUNNING, params=params, distributions=distributions)
        self.storage.create_new_trial(self.study_id, template_trial=frozen)
        return self.trials()[-1]

    def finish(self, trial: Trial) -> None:
        """Store the result of a trial."""
        number = self.storage.get_trial_id_from_study_id_trial_number(self.study_id, trial.number)
        for epoch, dice in enumerate(trial.history):
            self.storage.set_trial_intermediate_value(number, epoch, dice)
        for name, value in (("dice", list(trial.dice)), ("remark", trial.remark)):
            self.storage.set_trial_user_attr(number, name, value)
        values = None if trial.mean is None or trial.state == "failed" else [trial.mean]
        self.storage.set_trial_state_values(number, _STATES[trial.state], values)

    def choose(self, sampler: Literal["tpe", "random"]) -> Values:
        """Values of the next trial, from the results of those before."""
        before = self._stored()
        seed = self.seed + len(before)
        chosen = (
            optuna.samplers.RandomSampler(seed)
            if sampler == "random"
            else optuna.samplers.TPESampler(seed=seed, n_startup_trials=_RANDOM_TRIALS)
        )
        study = optuna.create_study(direction="maximize", sampler=chosen)
        study.add_trials([each for each in before if each.state.is_finished()])
        params = study.ask(self._distributions()).params
        return {name: self.space[name].text(params[name]) for name in self.space}

    def should_prune(self, history: Sequence[float], warmup: int) -> bool:
        """Whether a run is below the median of complete trials at the same epoch.

        Args:
            history: Validation Dice of each epoch so far.
            warmup: Number of epochs in which nothing is pruned.
        """
        study = optuna.create_study(direction="maximize")
        study.add_trials([each for each in self._stored() if each.state == TrialState.COMPLETE])
        own = create_trial(state=TrialState.RUNNING, intermediate_values=dict(enumerate(history)))
        pruner = optuna.pruners.MedianPruner(_TRIALS_BEFORE_PRUNING, warmup)
        return bool(pruner.prune(study, own))

    def _stored(self) -> list[FrozenTrial]:
        return self.storage.get_all_trials(self.study_id)

    def _trial(self, stored: FrozenTrial) -> Trial:
        state = next(name for name, each in _STATES.items() if each == stored.state)
        values = {name: self.space[name].text(stored.params[name]) for name in self.space}
        history = tuple(stored.intermediate_values[n] for n in sorted(stored.intermediate_values))
        attributes: dict[str, Any] = stored.user_attrs
        return Trial(
            stored.number,
            values,
            state,
            tuple(attributes.get("dice", ())),
            history,
            attributes.get("remark", ""),
        )

    def _distributions(self) -> dict[str, BaseDistribution]:
        return {name: _distribution(values) for name, values in self.space.items()}


def _distribution(values: Range | Choice) -> BaseDistribution:
    if isinstance(values, Choice):
        return CategoricalDistribution(values.options)
    if values.whole:
        step = int(values.step or 1)
        return IntDistribution(int(values.low), int(values.high), log=values.log, step=step)
    return FloatDistribution(values.low, values.high, log=values.log, step=values.step)


def _param(values: Range | Choice, text: str) -> Any:
    if isinstance(values, Choice):
        return text
    return int(text) if values.whole else float(text)


def _drop_unfinished_line(path: Path) -> None:
    """Remove the end of a journal that a process was killed while writing; Optuna does not read past it."""
    if not path.exists():
        return
    content = path.read_bytes()
    complete = content[: content.rfind(b"\n") + 1]
    if complete != content:
        with path.open("r+b") as file:
            file.truncate(len(complete))
