"""Old names work for one release, with a warning."""

import subprocess
import sys
import warnings
from dataclasses import replace
from importlib import import_module
from operator import attrgetter
from pathlib import Path

import numpy as np
import pydantic
import pytest

from rma_mamba import SliceRecipe, errors
from rma_mamba.datasets.prepare import PreparationOptions
from rma_mamba.deprecation import (
    renamed_attributes,
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
    with pytest.warns(DeprecationWarning, match="png="):
        assert PreparationOptions(pictures=True).png


RENAMED = {
    "datasets.audit": {"Report": "AuditResult"},
    "datasets.layouts": {
        "Dataset": "DatasetIndex",
        "Entry": "IndexedCase",
        "Options": "LayoutOptions",
    },
    "datasets.prepare": {"Choices": "PreparationOptions", "RECIPE_TABLE": "RECIPE_DATA"},
    "evaluation": {
        "Report": "ScoreSummary",
        "report_to_markdown": "summary_to_markdown",
        "to_markdown": "patients_to_markdown",
    },
    "experiments": {"shipped_benchmarks": "bundled_benchmarks"},
    "reporting": {"Body": "PatientSize"},
    "scans": {
        "count_frames": "count_volumes",
        "volume_of": "volume_from_memory",
        "write_report": "write_structured_report",
    },
    "slicing": {
        "detect_modality": "calibration.detect_modality",
        "has_lost_its_intercept": "calibration.lacks_rescale_intercept",
        "with_intercept": "calibration.restore_rescale_intercept",
    },
    "training": {"shipped_recipes": "bundled_recipes"},
}


@pytest.mark.parametrize(
    ("package", "old", "new"),
    [(package, old, new) for package, names in RENAMED.items() for old, new in names.items()],
)
def test_renamed_names_of_packages_work_with_a_warning(package: str, old: str, new: str) -> None:
    module = import_module(f"rma_mamba.{package}")
    with pytest.warns(DeprecationWarning, match=rf"{package}\.{old} is .* use .*\.{new}\.$"):
        value = getattr(module, old)
    assert value is attrgetter(new)(module)
    assert old not in module.__all__


@pytest.mark.parametrize("package", RENAMED)
def test_a_name_that_never_existed_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match=f"module 'rma_mamba.{package}' has no attribute"):
        attrgetter("nonsense")(import_module(f"rma_mamba.{package}"))


def test_a_renamed_attribute_is_looked_up_when_it_is_used() -> None:
    with pytest.warns(DeprecationWarning, match=r"use .*\.PatientSize"):
        assert renamed_attributes(__name__, {"Body": "PatientSize"})("Body") is PatientSize


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.RmaMambaError, 1),
        (errors.ScanError, 4),
        (errors.GridError, 4),
        (errors.DataError, 4),
        (errors.WeightsError, 5),
        (errors.ConfigError, 2),
        (errors.BackendError, 7),
    ],
)
def test_error_classes_and_errors_have_their_exit_code(
    error: type[errors.RmaMambaError], code: int
) -> None:
    with pytest.warns(DeprecationWarning, match="use rma_mamba.pipeline.exit_code_of"):
        assert error.exit_code == error("message").exit_code == code


def test_measurements_have_their_old_names() -> None:
    mask = Mask(np.ones((2, 3, 4), np.uint8), Geometry((2, 3, 4), np.diag([1.0, 2, 3, 1])))
    measured = replace(quantify(mask), extent_anterior_to_posterior_mm=1.5)
    with pytest.warns(DeprecationWarning, match="use Quantities.extent_anterior_to_posterior_mm"):
        assert attrgetter("extent_front_to_back_mm")(measured) == 1.5
    for old, value in (("extent_foot_to_head_mm", 12), ("voxel_foot_to_head_mm", 3)):
        with pytest.warns(DeprecationWarning, match=old):
            assert getattr(measured, old) == pytest.approx(value)
    with pytest.raises(AttributeError, match="no attribute 'depth'"):
        attrgetter("depth")(measured)


def test_a_slice_recipe_has_its_old_attribute() -> None:
    with pytest.warns(DeprecationWarning, match="use SliceRecipe.tta_scales"):
        assert SliceRecipe(tta_scales=(1.0, 1.5)).magnifications == (1.0, 1.5)


@pytest.mark.parametrize(
    "line",
    [
        "from rma_mamba.scans import volume_of",
        "rma_mamba.SliceRecipe(magnifications=(1.0,))",
        "rma_mamba.SliceRecipe.model_validate({'magnifications': (1.0,)})",
        "rma_mamba.SliceRecipe().magnifications",
        "rma_mamba.ScanError.exit_code",
        "rma_mamba.Volume(None, None, source=None)",
    ],
)
def test_python_shows_the_warning_to_the_author_of_a_script(line: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import rma_mamba\n\ntry:\n    {line}\nexcept AttributeError:\n    pass\n")
    command = [sys.executable, "-P", str(script)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{script}:4: DeprecationWarning: " in result.stderr
    assert result.stderr.count("DeprecationWarning") == 1
