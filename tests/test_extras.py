"""A library of an extra is imported when a task needs it; a missing one is one line with the way to install it."""

import math
import sys
from pathlib import Path

import pytest

from rma_mamba import __version__
from rma_mamba.errors import BackendError
from rma_mamba.extras import check_installed, import_for, missing_extra, require_extra


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


def test_a_module_whose_library_is_missing_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "of_torch.py").write_text("import torch.nn")
    (tmp_path / "of_another.py").write_text("import no_such_library")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "torch.nn", raising=False)
    with pytest.raises(BackendError, match=r"^create_model needs the package torch.*\.\[torch\]"):
        import_for("of_torch", "create_model")
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        import_for("of_another", "create_model")


def test_other_errors_are_about_no_extra() -> None:
    assert missing_extra(ValueError()) is None
    assert missing_extra(ModuleNotFoundError(name="no_such_library")) is None
    assert "extra 'train'" in str(missing_extra(ModuleNotFoundError(name="monai.transforms")))


def test_a_library_is_looked_for_without_importing_it() -> None:
    check_installed("math", "torch", "the runtime")
    with pytest.raises(BackendError, match="the runtime needs the package no_such_library"):
        check_installed("no_such_library", "torch", "the runtime")
