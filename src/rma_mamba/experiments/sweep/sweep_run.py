"""Run the trials of a sweep, one after another; completed ones are not repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rma_mamba.errors import ConfigError, WeightsError, is_out_of_memory
from rma_mamba.experiments.sweep.search_space import Values
from rma_mamba.experiments.sweep.sweep_journal import SweepJournal, Trial
from rma_mamba.experiments.sweep.sweep_plan import SweepPlan
from rma_mamba.experiments.sweep.sweep_tables import best_trial, sweep_markdown, write_tables
from rma_mamba.training import WEIGHTS_FILE, read_history, require_training_packages, train
from rma_mamba.training.run_errors import LossError

Note = Callable[[str], None]  # receives progress messages

_WARMUP = 4  # the first quarter of the epochs is not pruned


@dataclass(frozen=True)
class _Options:
    quiet: bool
    note: Note
    lenient: bool


def run_sweep(
    plan: SweepPlan,
    trials: int,
    *,
    quiet: bool = False,
    note: Note = lambda message: None,
    lenient: bool = False,
) -> str:
    """Train the trials of a sweep and compare their validation Dice.

    The folder contains `sweep.json`, what is varied; `journal.log`, the trials in Optuna's journal storage;
    `trial-000/seed-42`, ..., the run folder of each run (see `train`); `trials.md`, `trials.csv` and `trials.json`,
    written after each trial; and `best.toml`, the recipe of the best trial. An interrupted sweep continues where it
    stopped, also in the middle of a run, with the same values as without an interruption. Trials can be added later.

    Args:
        plan: The recipe and what is varied.
        trials: Number of trials in all, with those that are complete; a grid ends with its last combination.
        quiet: Hide progress bars.
        note: Receives progress messages.
        lenient: Train in spite of errors in the data; see `train`.

    Returns:
        The table in Markdown.

    Raises:
        ConfigError: The folder contains another sweep, a sweep is running in it, or no trial is complete; or as in
            `train`.
        DataError, ScanError, WeightsError, BackendError, RmaMambaError: As in `train`.
    """
    require_training_packages()
    options = _Options(quiet, note, lenient)
    with plan.open_folder():
        journal = SweepJournal(plan.folder, plan.space, plan.seeds[0])
        combinations = plan.combinations
        count = trials if combinations is None else min(trials, len(combinations))
        for number in range(count):
            known = journal.trials()
            if number < len(known) and known[number].state != "running":
                continue
            trial = known[number] if number < len(known) else _start(plan, journal, combinations)
            note(f"trial {number + 1} of {count}: {_listed(trial.values)}")
            finished = _finished(plan, journal, trial, options)
            journal.finish(finished)
            note(f"trial {number + 1} of {count}: {_outcome(finished)}")
            write_tables(plan, journal.trials())
        found = journal.trials()
        write_tables(plan, found)
        if best_trial(found) is None:
            raise ConfigError(
                f"no trial is complete (trial 0: {found[0].remark.rstrip('.')}); expected one at least. Correct the "
                "recipe or the parameters, and choose another folder with --output FOLDER."
            )
        return sweep_markdown(plan, found)


def _start(plan: SweepPlan, journal: SweepJournal, combinations: Sequence[Values] | None) -> Trial:
    if combinations is not None:
        return journal.start(combinations[len(journal.trials())])
    return journal.start(journal.choose("random" if plan.sampler == "random" else "tpe"))


def _finished(plan: SweepPlan, journal: SweepJournal, trial: Trial, options: _Options) -> Trial:
    """A trial with its result. Values that cannot be trained, or not in this memory, are a failed trial."""
    before = journal.trials()[: trial.number]
    same = next((each for each in before if each.values == trial.values), None)
    if same is not None:
        remark = same.remark or f"the values of trial {same.number}"
        return replace(same, number=trial.number, remark=remark)
    try:
        plan.check_values(trial.values)
    except (ConfigError, WeightsError) as error:
        return replace(trial, state="failed", remark=str(error))
    try:
        return _trained(plan, journal, trial, options)
    except LossError as error:
        return replace(trial, state="failed", remark=str(error))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return replace(trial, state="failed", remark="out of memory")


def _trained(plan: SweepPlan, journal: SweepJournal, trial: Trial, options: _Options) -> Trial:
    """Train a trial with each seed, or only with the first if its run is pruned."""
    recipe_epochs = plan.settings.training.epochs

    def is_below(history: Sequence[float]) -> bool:
        epochs = range(1, len(history) + 1)
        warmup = recipe_epochs // _WARMUP
        return any(journal.should_prune(history[:epoch], warmup) for epoch in epochs)

    dice: list[float] = []
    first: tuple[float, ...] = ()
    for seed in plan.seeds:
        rule = is_below if plan.prune and not dice else None
        history = _run(plan, trial, seed, rule, options)
        first = first or history
        dice.append(max(history))
        if rule is not None and rule(history):
            return replace(trial, state="pruned", dice=tuple(dice), history=first)
    return replace(trial, state="complete", dice=tuple(dice), history=first)


def _run(
    plan: SweepPlan,
    trial: Trial,
    seed: int,
    rule: Callable[[Sequence[float]], bool] | None,
    options: _Options,
) -> tuple[float, ...]:
    """The validation Dice of each epoch of a run, which is trained or continued if it is not complete."""
    folder = plan.run_folder(trial.number, seed)
    if not (folder / WEIGHTS_FILE).exists():
        train(
            plan.recipe,
            plan.run_overrides(trial.number, trial.values, seed),
            resume=True,
            data=plan.data,
            quiet=options.quiet,
            lenient=options.lenient,
            stop=rule,
        )
    history = read_history(folder).get("val_dice", [])
    if not history:
        raise ConfigError(
            f"the run {folder.parent.name}/{folder.name} has no validation Dice in history.json; expected one for each "
            "epoch. Remove the folder of this run, and start the sweep again."
        )
    return tuple(history)


def _listed(values: Values) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items())


def _outcome(trial: Trial) -> str:
    if trial.mean is None:
        return f"{trial.state} ({trial.remark.rstrip('.')})"
    return f"{trial.state}, validation Dice {trial.mean:.4f}"
