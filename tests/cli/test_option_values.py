import pytest

from rma_mamba.cli.option_values import parse_spacing, parse_volume
from rma_mamba.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "volume"), [(None, None), ("2", 2), ("all", "all"), ("ALL", "all"), ("-1", -1)]
)
def test_a_volume_is_a_number_or_all(text: str | None, volume: object) -> None:
    assert parse_volume(text) == volume


@pytest.mark.parametrize("text", ["first", "", "1.5", "1,2"])
def test_other_volumes_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--volume 2"):
        parse_volume(text)


@pytest.mark.parametrize(
    ("text", "spacing"),
    [(None, None), ("0.8", (0.8,)), ("0.8,0.8,5", (0.8, 0.8, 5)), ("1x1x5", (1, 1, 5))],
)
def test_a_spacing_is_numbers_with_commas_or_crosses(
    text: str | None, spacing: tuple[float, ...] | None
) -> None:
    assert parse_spacing(text) == spacing


@pytest.mark.parametrize("text", ["two", "", "1,,2", "1 2"])
def test_other_spacings_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--spacing-mm"):
        parse_spacing(text)
