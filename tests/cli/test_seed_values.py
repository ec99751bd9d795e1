"""Parsing the seeds of several training runs."""

import pytest

from rma_mamba.cli.seed_values import parse_seeds
from rma_mamba.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seeds"),
    [(None, None), ("1,2,3", [1, 2, 3]), ("7", [7]), ("1, 2", [1, 2]), ("1 2", [1, 2])],
)
def test_seeds_are_separated_by_commas(text: str | None, seeds: list[int] | None) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", ",", "a", "1,b", "-1", "1.5", "²"])
def test_seeds_that_are_no_whole_numbers_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected whole numbers from 0"):
        parse_seeds(text)
