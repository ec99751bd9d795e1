"""Old names work for one release, with a warning."""

import warnings

import pydantic
import pytest

from rma_mamba.deprecation import (
    suppress_rename_warnings,
    warn_renamed,
    with_old_fields,
    with_renamed_keys,
)


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
