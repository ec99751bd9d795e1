"""A validation error of pydantic becomes one line without pydantic's own words."""

from typing import Annotated, Any, Literal, Self

import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rma_mamba.setting_errors import as_config_error


class Source(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    span: tuple[int, int] = (1, 2)

    @model_validator(mode="after")
    def check(self) -> Self:
        if self.span[0] > self.span[1]:
            raise ValueError("span is reversed; expected the lower value first")
        return self


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    optimizer: Literal["adam", "adamw"] = "adam"
    epochs: int = Field(default=1, ge=1)
    rate: Annotated[float, Field(gt=0)] = 1.0
    width: int = Field(default=8, multiple_of=8)
    devices: int | Literal["auto"] = "auto"
    resume: bool = False
    sources: tuple[Source, ...] = Field(default=(), max_length=2)

    @model_validator(mode="after")
    def check(self) -> Self:
        if self.epochs == self.width:
            raise ValueError("epochs and width are the same; expected two values")
        return self


GOOD = {"name": "a"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sources": [{}]}, "X has no 'sources.0.name'; expected one. Add it."),
        (
            {"optimizer": "sgd"},
            "'optimizer' of X is \"sgd\"; expected 'adam' or 'adamw'. Correct it.",
        ),
        (
            {"epochs": 0},
            "'epochs' of X is 0; expected a value greater than or equal to 1. Correct it.",
        ),
        ({"epochs": "two"}, "'epochs' of X is \"two\"; expected a whole number. Correct it."),
        ({"epochs": 1.5}, "'epochs' of X is 1.5; expected a whole number. Correct it."),
        ({"rate": -1}, "'rate' of X is -1; expected a value greater than 0. Correct it."),
        ({"rate": "fast"}, "'rate' of X is \"fast\"; expected a number. Correct it."),
        ({"width": 9}, "'width' of X is 9; expected a multiple of 8. Correct it."),
        ({"resume": "x"}, "'resume' of X is \"x\"; expected true or false. Correct it."),
        (
            {"devices": "all"},
            "'devices' of X is \"all\"; expected a whole number or 'auto'. Correct it.",
        ),
        ({"sources": [GOOD, 3]}, "'sources.1' of X is 3; expected a table. Correct it."),
        ({"sources": 3}, "'sources' of X is 3; expected a list. Correct it."),
        ({"rate": ["x" * 99]}, "'rate' of X is invalid; expected a number. Correct it."),
        (
            {"sources": [{"name": ""}]},
            "'sources.0.name' of X is \"\"; expected at least 1 character. Correct it.",
        ),
        (
            {"sources": [{"name": "a", "spam": 1}]},
            "X has an unknown setting 'sources.0.spam'; expected one of name, span. Did you mean 'span'?",
        ),
        (
            {"sources": [{"name": "a", "span": [2, 1]}]},
            "'sources.0' of X is invalid: span is reversed; expected the lower value first. Correct it.",
        ),
        (
            {"epochs": 8},
            "X is invalid: epochs and width are the same; expected two values. Correct it.",
        ),
        ("text", 'X is "text"; expected a table. Correct it.'),
    ],
    ids=str,
)
def test_an_error_says_what_was_found_what_is_expected_and_what_to_do(
    content: Any, message: str
) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        Config.model_validate(content)
    assert str(as_config_error(caught.value, Config, "X")) == message
