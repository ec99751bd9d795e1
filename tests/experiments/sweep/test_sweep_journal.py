"""The trials of a sweep in Optuna's journal."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from rma_mamba.errors import ConfigError
from rma_mamba.experiments.sweep.search_space import Values, parse_parameters
from rma_mamba.experiments.sweep.sweep_journal import JOURNAL, STUDY, SweepJournal, Trial

SPACE = parse_parameters(["training.lr=1e-4:1e-2:log", "training.batch_size=2:16", "model.x=a,b"])


def journal(folder: Path, seed: int = 7) -> SweepJournal:
    folder.mkdir(exist_ok=True)
    return SweepJournal(folder, SPACE, seed)


def complete(trial: Trial) -> Trial:
    """A result that depends on the values."""
    dice = 1 - abs(float(trial.values["training.lr"]) - 3e-3)
    return replace(trial, state="complete", dice=(dice, dice / 2), history=(dice / 4, dice))


def fill(found: SweepJournal, count: int) -> list[Values]:
    for number in range(len(found.trials()), count):
        assert found.start(found.choose("tpe")).number == number
        found.finish(complete(found.trials()[number]))
    return [each.values for each in found.trials()]


def test_trials_are_read_as_they_were_stored(tmp_path: Path) -> None:
    found = journal(tmp_path)
    stored = complete(found.start(found.choose("random")))
    found.finish(stored)
    failed = replace(found.start(found.choose("random")), state="failed", remark="out of memory")
    found.finish(failed)
    running = found.start(found.choose("random"))
    assert journal(tmp_path).trials() == [stored, failed, running]


def test_values_do_not_depend_on_interruptions(tmp_path: Path) -> None:
    whole = fill(journal(tmp_path / "whole"), 9)
    for count in (1, 2, 2, 6, 9):  # a new process each time
        torn = fill(journal(tmp_path / "torn"), count)
    assert torn == whole
    assert len({tuple(each.values()) for each in whole}) == 9
    assert fill(journal(tmp_path / "other", seed=8), 9) != whole


def test_an_unfinished_line_is_dropped(tmp_path: Path) -> None:
    whole = fill(journal(tmp_path), 2)
    path = tmp_path / JOURNAL
    content = path.read_bytes()
    for end in (b'{"op_code":4', b"\x00\x00"):  # killed while writing
        path.write_bytes(content + end)
        assert [each.values for each in journal(tmp_path).trials()] == whole
        assert path.read_bytes() == content


def test_a_lock_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    fill(journal(tmp_path), 1)
    (tmp_path / f"{JOURNAL}.lock").touch()
    assert len(fill(journal(tmp_path), 2)) == 2


def test_a_damaged_journal_is_an_error(tmp_path: Path) -> None:
    fill(journal(tmp_path), 2)
    path = tmp_path / JOURNAL
    path.write_bytes(b"no journal\n" + path.read_bytes())
    with pytest.raises(ConfigError, match=r"journal\.log .* is damaged"):
        journal(tmp_path)


def test_optuna_reads_the_study(tmp_path: Path) -> None:
    fill(journal(tmp_path), 3)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / JOURNAL)))
    study = optuna.load_study(study_name=STUDY, storage=storage)
    assert len(study.trials) == 3
    assert study.best_value == max(each.value for each in study.trials)


def test_a_run_below_the_median_is_pruned_after_a_few_trials(tmp_path: Path) -> None:
    found = journal(tmp_path)
    good, bad = (0.8, 0.9), (0.1, 0.2)
    for number in range(3):
        assert not found.should_prune(bad, warmup=0)
        trial = found.start(found.choose("random"))
        found.finish(replace(trial, state="complete", dice=(0.8,), history=(0.5, 0.7 + number / 9)))
    assert found.should_prune(bad, warmup=0)
    assert not found.should_prune(bad, warmup=2)
    assert not found.should_prune(good, warmup=0)
