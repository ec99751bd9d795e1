"""Settings of a sweep and their values, as written on the command line."""

import pytest

from rma_mamba.errors import ConfigError
from rma_mamba.experiments.sweep.search_space import Choice, Range, grid, parse_parameters
from rma_mamba.training.recipe_loading import merge_recipe


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-4:1e-2:log", Range(1e-4, 1e-2, log=True)),
        ("0:0.5", Range(0, 0.5)),
        ("0.0:0.5:0.2", Range(0.0, 0.4, step=0.2)),
        ("2:16", Range(2, 16, whole=True)),
        ("2:16:4", Range(2, 14, step=4, whole=True)),
        ("1:64:log", Range(1, 64, log=True, whole=True)),
        ("-1:1", Range(-1, 1, whole=True)),
        ("unet,unext", Choice(("unet", "unext"))),
        ("4, 8", Choice(("4", "8"))),
        ("true,false", Choice(("true", "false"))),
        ('"5",x:y', Choice(('"5"', "x:y"))),
        ("[1.0],[1.0, 1.1]", Choice(("[1.0]", "[1.0, 1.1]"))),
        ("none,20", Choice(("none", "20"))),
    ],
)
def test_values_are_read(text: str, expected: Range | Choice) -> None:
    assert parse_parameters([f"training.x={text}"]) == {"training.x": expected}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("training.lr", "not KEY=VALUES"),
        ("training.lr=", "not KEY=VALUES"),
        ("=1:2", "not KEY=VALUES"),
        ("training.lr=2:1", "not below"),
        ("training.lr=1:1", "not below"),
        ("training.lr=0:1:log", "logarithmic"),
        ("training.lr=0:1:2", "step"),
        ("training.lr=0:1:ln", "neither log nor a step"),
        ("training.lr=5", "one value"),
        ("training.lr=1:2:3:4", "one value"),
        ("training.lr=nan:1", "one value"),
        ("training.lr=1,1", "same value twice"),
    ],
)
def test_what_cannot_be_read_is_an_error_in_one_line(text: str, found: str) -> None:
    with pytest.raises(ConfigError, match=found) as caught:
        parse_parameters([text])
    assert "\n" not in str(caught.value)
    assert "--param" in str(caught.value)


def test_a_setting_is_named_once_and_there_is_one() -> None:
    with pytest.raises(ConfigError, match="named twice"):
        parse_parameters(["a.b=1:2", "a.b=3:4"])
    with pytest.raises(ConfigError, match="no parameters"):
        parse_parameters([])


def test_numbers_are_rounded_and_stay_in_the_range() -> None:
    assert Range(1e-4, 1e-2, log=True).text(0.00123456789) == "0.001235"
    assert Range(0.12354, 1).text(0.12354) == "0.12354"
    assert Range(0.0, 0.4, step=0.1).text(0.1 + 0.2) == "0.3"
    assert Range(1, 5, whole=True).text(3.0) == "3"


def test_a_grid_has_every_combination() -> None:
    space = parse_parameters(["a.x=0.1:0.3:0.1", "a.y=2:3", "a.z=u,v"])
    found = grid(space)
    assert len(found) == 12
    assert found[:3] == [
        {"a.x": "0.1", "a.y": "2", "a.z": "u"},
        {"a.x": "0.1", "a.y": "2", "a.z": "v"},
        {"a.x": "0.1", "a.y": "3", "a.z": "u"},
    ]
    assert len({tuple(each.values()) for each in found}) == 12


@pytest.mark.parametrize("text", ["a.x=0.1:0.3", "a.x=1:8:log"])
def test_a_grid_needs_values_that_can_be_counted(text: str) -> None:
    with pytest.raises(ConfigError, match="range without steps"):
        grid(parse_parameters([text]))


def test_values_arrive_in_the_recipe_as_they_were_meant() -> None:
    space = parse_parameters(['a.x="5",7,on', "a.y=[1, 2],[3]"])
    found = [merge_recipe("default", [f"a.x={text}"])["a"]["x"] for text in space["a.x"].values()]
    assert found == ["5", 7, "on"]
    lists = [merge_recipe("default", [f"a.y={text}"])["a"]["y"] for text in space["a.y"].values()]
    assert lists == [[1, 2], [3]]
