"""Old names work for one release, with a warning."""

import warnings

import numpy as np
import pydantic
import pytest

from rma_mamba.deprecation import (
    suppress_rename_warnings,
    warn_renamed,
    with_old_fields,
    with_renamed_arguments,
    with_renamed_keys,
)
from rma_mamba.reporting import PatientSize, quantify
from rma_mamba.source_images import SourceImages
from rma_mamba.volume import Geometry, Mask, Volume


class Settings(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    split: str = "train"

    @pydantic.model_validator(mode="before")
    @classmethod
    def _old_names(cls, data: object) -> object:
        return with_renamed_keys(data, {"side": "split"})


def test_the_warning_names_both_names_the_release_and_the_callers_line() -> None:
    def old_function() -> None:
        warn_renamed("old_function()", "new_function()")

    with pytest.warns(DeprecationWarning, match="old_function") as caught:
        old_function()
    assert str(caught[0].message) == (
        "old_function() is deprecated and will be removed in 0.3.0; use new_function()."
    )
    assert caught[0].filename == __file__


def test_an_old_key_is_accepted_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="'side' is deprecated .* use 'split'"):
        assert Settings.model_validate({"side": "val"}).split == "val"


def test_a_new_key_is_accepted_without_a_warning() -> None:
    assert Settings.model_validate({"split": "val"}).split == "val"


def test_an_old_key_beside_its_new_one_is_an_error() -> None:
    with pytest.raises(pydantic.ValidationError, match="both 'split' and its old name 'side'"):
        Settings.model_validate({"side": "val", "split": "val"})


def test_an_unknown_key_and_a_wrong_type_are_still_errors() -> None:
    for wrong in ({"sid": "val"}, ["side"], "side"):
        with pytest.raises(pydantic.ValidationError):
            Settings.model_validate(wrong)


def test_the_given_data_are_not_changed() -> None:
    data = {"side": "val"}
    with suppress_rename_warnings():
        Settings.model_validate(data)
    assert data == {"side": "val"}


def test_warnings_can_be_switched_off_for_a_while_even_after_an_error() -> None:
    def fail() -> None:
        with suppress_rename_warnings():
            Settings.model_validate({"side": "val"})  # any warning would be an error
            raise RuntimeError

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError):
            fail()
    with pytest.warns(DeprecationWarning, match="side"):
        Settings.model_validate({"side": "val"})


def test_old_output_fields_follow_the_new_ones() -> None:
    record = with_old_fields({"split": "val", "dice": 1}, {"split": "side", "missing": "gone"})
    assert list(record.items()) == [("split", "val"), ("dice", 1), ("side", "val")]


@with_renamed_arguments(side="split", limits="thresholds")
def score(case: str, *, split: str = "test", thresholds: int = 0) -> tuple[str, str, int]:
    """Score a case."""
    return case, split, thresholds


def test_old_keyword_arguments_arrive_under_their_new_names() -> None:
    assert score("a", split="val") == ("a", "val", 0)
    with pytest.warns(DeprecationWarning, match=r"'side=' is deprecated.*use 'split='"):
        assert score("a", side="val") == ("a", "val", 0)
    assert (score.__name__, score.__doc__) == ("score", "Score a case.")


def test_an_old_keyword_argument_beside_its_new_name_is_an_error() -> None:
    with pytest.raises(TypeError, match="both 'split' and its old name 'side'"):
        score("a", side="val", split="val")


def test_constructors_and_functions_accept_their_old_keyword_arguments() -> None:
    geometry = Geometry((2, 2, 2), np.eye(4))
    labels = np.ones((2, 2, 2), np.uint8)
    images = SourceImages((), (2, 2), np.zeros((0, 3)))
    with pytest.warns(DeprecationWarning, match="source_images="):
        mask = Mask(labels, geometry, source=images)
    with pytest.warns(DeprecationWarning, match="source_images="):
        volume = Volume(labels, geometry, source=images)
    assert mask.source_images is volume.source_images is images
    size = PatientSize(170.0, 70.0)
    with pytest.warns(DeprecationWarning, match="patient_size="):
        measured = quantify(mask, body=size)
    assert measured == quantify(mask, patient_size=size)
