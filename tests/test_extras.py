"""A library of an extra is imported when a task needs it; a missing one is one line with the way to install it."""

import math
from pathlib import Path

import pytest

from rma_mamba import __version__
from rma_mamba.errors import BackendError
from rma_mamba.extras import require_extra


def test_an_installed_library_is_returned() -> None:
    assert require_extra("math", "train", "training") is math


def test_a_missing_library_is_named_with_its_extra_and_both_ways_to_install_it() -> None:
    with pytest.raises(BackendError) as caught:
        require_extra("no_such_library.part", "train", "training")
    assert str(caught.value) == (
        "training needs the package no_such_library, which is not installed; expected the extra 'train'. Install it "
        f"with: pip install '.[train]' from a clone, or pip install 'rma_mamba-{__version__}-py3-none-any.whl[train]'."
    )


def test_a_library_that_is_installed_and_broken_says_what_broke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_installed.py").write_text("import the_other_half_is_missing")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BackendError, match=r"cannot be imported \(.*the_other_half_is_missing"):
        require_extra("half_installed", "train", "training")
