"""A full disk, a dead worker and unavailable devices are one-line errors."""

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from rma_mamba.errors import BackendError, ConfigError, RmaMambaError
from rma_mamba.training import train
from rma_mamba.training.data_module import SliceDataModule
from rma_mamba.training.run_errors import translate_errors


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """Limit the size of files, which has the effect of a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 20_000])
def test_a_full_disk_is_a_one_line_error_and_the_last_checkpoint_survives(
    tmp_path: Path, recipe: Path, size: int
) -> None:
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    train(recipe, ["training.epochs=1"], quiet=True)
    before = last.read_bytes()
    with file_limit(size), pytest.raises(RmaMambaError, match=r"\(File too large\)") as caught:
        train(recipe, resume=True, quiet=True)
    assert "\n" not in str(caught.value)
    assert last.read_bytes() == before
    train(recipe, resume=True, quiet=True)
    assert torch.load(last, weights_only=True)["epoch"] == 1


def test_a_dead_worker_is_a_one_line_error(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(self: SliceDataModule, stage: str, setup=SliceDataModule.setup) -> None:
        setup(self, stage)
        self.train.transform = lambda sample: os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(SliceDataModule, "setup", dying)
    with pytest.raises(RmaMambaError, match="a data loader worker died") as caught:
        train(recipe, ["training.workers=1"], quiet=True)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("setting", ["training.accelerator=gpu", "training.accelerator=abacus"])
def test_unavailable_devices_are_a_one_line_error(recipe: Path, setting: str) -> None:
    with pytest.raises(BackendError, match="the devices cannot be used") as caught:
        train(recipe, [setting], quiet=True)
    assert "\n" not in str(caught.value)


def test_activation_checkpointing_needs_vss_blocks(recipe: Path) -> None:
    with pytest.raises(ConfigError, match="no VSS blocks"):
        train(
            recipe,
            ["model.name=unet", "model.settings={width=4}", "training.checkpoint_activations=true"],
            quiet=True,
        )


def test_a_missing_best_checkpoint_is_a_one_line_error(tmp_path: Path, recipe: Path) -> None:
    train(recipe, ["training.epochs=1", "data.slices_per_epoch=4"], quiet=True)
    (tmp_path / "run" / "checkpoints" / "best.ckpt").unlink()
    with pytest.raises(ConfigError, match=r"best\.ckpt cannot be read"):
        train(recipe, ["training.epochs=1", "data.slices_per_epoch=4"], resume=True, quiet=True)


@pytest.mark.parametrize(
    ("error", "kind", "remedy"),
    [
        (
            RuntimeError(
                "unable to allocate shared memory(shm) for file </torch_1_2>: No space left"
            ),
            ConfigError,
            "training.workers=0",
        ),
        (
            RuntimeError(
                "Caught RuntimeError in DataLoader worker process 0.\nunable to write to file </torch_9"
            ),
            ConfigError,
            "training.workers=0",
        ),
        (
            RuntimeError(
                "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible"
            ),
            ConfigError,
            "training.workers=0",
        ),
        (OSError(28, "No space left on device", "/torch_7_8"), ConfigError, "training.workers=0"),
        (OSError(24, "Too many open files"), ConfigError, "training.workers=0"),
        (RuntimeError("received 0 items of ancdata"), ConfigError, "training.workers=0"),
        (OSError(28, "No space left on device"), ConfigError, "run.folder"),
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed"),
            RmaMambaError,
            "died",
        ),
        (
            RuntimeError(
                "Unable to handle autograd's threading in combination with fork-based multiprocessing"
            ),
            BackendError,
            "spawn",
        ),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, Exception) else "",
)
def test_what_the_environment_does_is_a_one_line_error(
    error: Exception, kind: type[RmaMambaError], remedy: str
) -> None:
    with pytest.raises(kind, match=remedy) as caught, translate_errors():
        raise error
    assert "\n" not in str(caught.value)
    assert "/torch_" not in str(caught.value)


def test_an_error_of_the_program_stays_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="a bug"), translate_errors():
        raise RuntimeError("a bug")
