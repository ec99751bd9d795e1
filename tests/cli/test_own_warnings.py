"""Warnings of this package are one line each, printed once; others are left to Python."""

import warnings

import pytest

from rma_mamba.cli.own_warnings import print_own_warnings
from rma_mamba.deprecation import warn_renamed
from rma_mamba.errors import EnvironmentWarning


def test_each_deprecation_is_printed_once_as_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with print_own_warnings():
        for _ in range(2):
            warn_renamed("'look'", "'tta_scale'")
        warn_renamed("'side'", "'split'")
    assert capfd.readouterr().err.splitlines() == [
        "rma-mamba: warning: 'look' is deprecated and will be removed in 0.3.0; use 'tta_scale'.",
        "rma-mamba: warning: 'side' is deprecated and will be removed in 0.3.0; use 'split'.",
    ]


def test_other_warnings_are_left_to_python() -> None:
    with pytest.warns(UserWarning, match="else"), print_own_warnings():
        warnings.warn("something else", UserWarning, stacklevel=1)


def test_a_limit_of_the_machine_is_printed_as_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with print_own_warnings():
        for _ in range(2):
            warnings.warn(
                "too little; enough is expected. Add some.", EnvironmentWarning, stacklevel=1
            )
    assert (
        capfd.readouterr().err == "rma-mamba: warning: too little; enough is expected. Add some.\n"
    )
