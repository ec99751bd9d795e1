"""Data settings: contradictions are rejected, old keys are accepted with a warning."""

from typing import Any

import pydantic
import pytest

from rma_mamba.datasets.config import DataConfig, SourceConfig
from rma_mamba.datasets.settings import Settings

SOURCE = {"name": "a", "kind": "volumes", "images": "i", "labels": "l"}


def test_old_keys_of_a_source_are_accepted_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="is deprecated") as caught:
        old = SourceConfig.model_validate({**SOURCE, "cohort": "chaos", "side": "valid"})
    assert old == SourceConfig.model_validate({**SOURCE, "dataset": "chaos", "split": "val"})
    said = [str(warning.message) for warning in caught]
    for name, new in (("'cohort'", "'dataset'"), ("'side'", "'split'"), ("'valid'", "'val'")):
        assert any(name in text and f"use {new}" in text for text in said), said


def test_a_key_and_its_old_name_together_are_rejected() -> None:
    with pytest.raises(pydantic.ValidationError, match="both 'dataset' and its old name 'cohort'"):
        SourceConfig.model_validate({**SOURCE, "dataset": "a", "cohort": "a"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": [{**SOURCE, "dataset": "a"}] * 2}, "two sources have the same name"),
        ({"canvases": [64, 128], "crop": 96}, "expected at most 96"),
        ({"splits": {"b": {}}}, r"splits of unknown datasets \['b'\]"),
        ({"sources": [{**SOURCE, "dataset": "a", "split": "all"}]}, "'train', 'val' or 'test'"),
        ({"sources": []}, "at least 1 item"),
        (
            {"sources": [{**SOURCE, "dataset": "a", "intensity": "stored"}]},
            'intensity is "stored" for volumes',
        ),
        ({"crops": 32}, "Extra inputs"),
    ],
)
def test_contradictory_settings_are_rejected(changes: dict[str, Any], message: str) -> None:
    valid = {"sources": [{**SOURCE, "dataset": "a"}]}
    assert DataConfig.model_validate(valid).splits == {}
    with pytest.raises(pydantic.ValidationError, match=message):
        DataConfig.model_validate({**valid, **changes})


def test_tables_summarise_a_source_by_its_group_or_name() -> None:
    alone = SourceConfig.model_validate({**SOURCE, "dataset": "x"})
    assert alone.group_name == "a"
    assert alone.model_copy(update={"group": "CT"}).group_name == "CT"


def models() -> list[type[Settings]]:
    found, waiting = [], [Settings]
    while waiting:
        waiting += (below := waiting.pop().__subclasses__())
        found += [each for each in below if each.__module__.startswith("rma_mamba.datasets")]
    return found


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_setting_is_described_in_sentences(model: type[Settings]) -> None:
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description[-1] == ".", name


def slices(*intensities: str | None, **recipe: str) -> DataConfig:
    """Sources of slices with these mappings, and one of volumes."""
    sources: list[dict[str, Any]] = [{**SOURCE, "name": "volumes", "dataset": "a"}]
    for number, intensity in enumerate(intensities):
        source = {**SOURCE, "name": f"{number}", "kind": "slices", "dataset": "a"}
        sources.append({**source, "intensity": intensity})
    return DataConfig.model_validate({"sources": sources, "recipe": recipe})


def test_slices_determine_the_grey_levels_of_the_recipe() -> None:
    assert slices().recipe.grey_levels == "scan"
    assert slices(None).recipe.grey_levels == "stored"
    assert slices("scan", "scan").recipe.grey_levels == "scan"
    assert slices(None, grey_levels="scan").recipe.grey_levels == "scan"
    source = {**SOURCE, "kind": "slices", "dataset": "a", "window_hu": (-160, 240)}
    assert DataConfig.model_validate({"sources": [source]}).recipe.grey_levels == "scan"


def test_a_recipe_without_slices_is_the_same_as_before_grey_levels_existed() -> None:
    assert "grey_levels" not in slices().recipe.model_dump()
    assert slices(None).recipe.model_dump()["grey_levels"] == "stored"


@pytest.mark.parametrize(
    ("intensities", "recipe"),
    [(("scan", "stored"), {}), (("scan", None), {}), (("stored",), {"grey_levels": "scan"})],
)
def test_different_mappings_of_slices_are_rejected(
    intensities: tuple[str | None, ...], recipe: dict[str, str]
) -> None:
    with pytest.raises(pydantic.ValidationError, match="expected one value for all"):
        slices(*intensities, **recipe)
