"""Sizes of images on the command line."""

import pytest

from rma_mamba.cli.image_size import parse_size
from rma_mamba.errors import ConfigError


def test_a_size_is_height_and_width_or_one_number_for_both() -> None:
    assert parse_size(None) is None
    assert parse_size("256x192") == (256, 192)
    assert parse_size("64") == (64, 64)


@pytest.mark.parametrize("text", ["", "a", "3x", "1x2x3", "-3", "64.5", "64,64"])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError, match="expected height and width in pixels"):
        parse_size(text)
