"""The option `--channel`."""

import pytest

from rma_mamba.cli.channel_options import parse_channels
from rma_mamba.errors import ConfigError


def test_a_channel_has_a_name_and_a_value() -> None:
    assert parse_channels(["T1=a/b.nii", " T2 = x=y "], stated=True) == {
        "T1": "a/b.nii",
        "T2": "x=y",
    }
    assert parse_channels(["T1", "in=T1 in phase"]) == {"T1": "T1", "in": "T1 in phase"}
    assert parse_channels(None) == {}


@pytest.mark.parametrize("values", [["=a"], ["T1="], ["T1=a", "T1=b"], [""]])
def test_other_values_are_rejected(values: list[str]) -> None:
    with pytest.raises(ConfigError, match="expected a name and a value"):
        parse_channels(values)


def test_a_path_is_required_where_there_is_nothing_to_look_it_up_in() -> None:
    with pytest.raises(ConfigError, match="T1"):
        parse_channels(["T1"], stated=True)
