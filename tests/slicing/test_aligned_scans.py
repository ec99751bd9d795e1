"""Several scans of a patient as channels of one case."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from orders import reordered
from rma_mamba.errors import ConfigError, GridError
from rma_mamba.slicing import SliceRecipe, SliceStack, calibrated, joined, to_slices
from rma_mamba.slicing.aligned_scans import check_channels, grid_difference
from rma_mamba.volume import Geometry, Volume
from two_scans import volume

RECIPE = SliceRecipe(size=32, spacing_mm=3.0, channel_names=("T1", "T2"))
FILES = {"T1": "a.nii.gz", "T2": "b.nii.gz"}


def tilted(degrees: float) -> Volume:
    scan = volume()
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return replace(scan, geometry=Geometry(scan.geometry.shape, turn @ scan.geometry.affine))


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (volume(shift_mm=(0, 5, 0)), r"shifted by \(\+0\.00, \+5\.00, \+0\.00\) mm .*5\.00 mm"),
        (volume(shape=(44, 40, 12)), "40 x 10 voxels .* and 44 x 40 x 12 voxels"),
        (volume(shift_mm=(0, 0, 0.3)), r"\+0\.30\) mm"),
        (tilted(4), r"rotated by 4\.0 degrees, up to .* mm apart"),
    ],
    ids=["shifted", "other size", "small shift", "rotated"],
)
def test_misaligned_scans_are_rejected_in_one_line_with_both_files(
    other: Volume, difference: str
) -> None:
    with pytest.raises(GridError, match=rf"T1 \(a\.nii\.gz\) and T2 \(b\.nii\.gz\).*{difference}"):
        joined({"T1": volume(), "T2": other}, FILES)


def test_other_spacing_is_named() -> None:
    one, two = (Geometry((4, 4, 4), np.diag([2.0, 2, each, 1])) for each in (6.0, 6.2))
    assert "voxels of 6.2 x 2 x 2 mm" in grid_difference(one, two)


def test_a_difference_of_rounding_is_no_misalignment() -> None:
    assert set(joined({"T1": volume(), "T2": volume(1, shift_mm=(0.04, 0, 0))}).channels) == {
        "T1",
        "T2",
    }


def test_another_axis_order_is_the_same_grid() -> None:
    scan = volume(1)
    turned = reordered(scan, ((2, 0, 1), (-1, 1, -1)))
    case = joined({"T1": volume(), "T2": turned})
    assert np.array_equal(case.channels["T2"].values, scan.values)
    assert case.channels["T2"].geometry.matches(case.geometry)


def test_scans_are_resampled_by_position_on_request() -> None:
    whole = volume(3, (44, 40, 12))
    part = Volume(
        whole.values[2:, 1:, :-2],
        Geometry((42, 39, 10), whole.geometry.affine @ _offset(2, 1, 0)),
        "MR",
    )
    case = joined({"T1": whole, "T2": part}, resample=True)
    found = case.channels["T2"].values
    assert found.dtype == whole.values.dtype
    assert np.array_equal(found[2:, 1:, :-2], whole.values[2:, 1:, :-2])
    assert (found[0] == part.values.min()).all()


def _offset(*voxels: float) -> Any:
    matrix = np.eye(4)
    matrix[:3, 3] = voxels
    return matrix


def test_scans_that_hardly_overlap_are_not_resampled() -> None:
    with pytest.raises(GridError, match=r"T2 \(b\.nii\.gz\) covers 0% of T1"):
        joined({"T1": volume(), "T2": volume(shift_mm=(300, 0, 0))}, FILES, resample=True)


def test_warnings_name_their_channel() -> None:
    scan = replace(volume(), warnings=("Slices were repaired.",))
    case = joined({"T1": volume(1), "T2": scan})
    assert case.warnings == ("T2: Slices were repaired.",)


def test_each_scan_has_three_channels_and_a_missing_one_is_black() -> None:
    one, two = volume(0), volume(1)
    both = to_slices(joined({"T1": one, "T2": two}), RECIPE)
    single = RECIPE.model_copy(update={"channel_names": ()})
    assert np.array_equal(both[:, :3], to_slices(one, single))
    assert np.array_equal(both[:, 3:], to_slices(two, single))
    alone = to_slices(joined({"T2": two}), RECIPE)
    assert not alone[:, :3].any()
    assert np.array_equal(alone[:, 3:], both[:, 3:])


def test_channels_have_the_order_of_the_network() -> None:
    one, two = volume(0), volume(1)
    assert np.array_equal(
        to_slices(joined({"T2": two, "T1": one}), RECIPE),
        to_slices(joined({"T1": one, "T2": two}), RECIPE),
    )


def test_all_tta_scales_have_the_intensities_of_their_scan() -> None:
    recipe = RECIPE.model_copy(update={"tta_scales": (1.0, 1.2), "neighbours": True})
    stack = SliceStack(joined({"T1": volume(0), "T2": volume(1)}), recipe)
    scaled = stack.at_tta_scales()[1]
    assert {n: each.scale for n, each in scaled.channels.items()} == {
        n: each.scale for n, each in stack.channels.items()
    }
    assert scaled[0:2].shape[1] == 6


def test_the_modality_plane_states_that_all_scans_are_hounsfield_units() -> None:
    recipe = RECIPE.model_copy(update={"modality_plane": True})
    assert recipe.channels == 7
    values = np.linspace(-1000, 400, 44 * 40 * 10).reshape(44, 40, 10).astype(np.int16)
    phases = {name: replace(volume(), values=values, modality="CT") for name in ("T1", "T2")}
    assert to_slices(calibrated(joined(phases)), recipe)[:, 6].all()
    mixed = joined({"T1": phases["T1"], "T2": volume()})
    assert not to_slices(mixed, recipe)[:, 6].any()


def test_a_case_needs_channels_of_the_network() -> None:
    case = joined({"T1": volume()})
    assert check_channels(case, RECIPE) == (
        "The channel T2 is missing: the network sees a black image in its place.",
    )
    assert "was trained for that (channel dropout 0.25)" in check_channels(case, RECIPE, 0.25)[0]
    assert "was trained without channel dropout" in check_channels(case, RECIPE, 0.0)[0]
    assert check_channels(volume(), SliceRecipe()) == ()
    with pytest.raises(ConfigError, match=r"without a name; expected scans named T1 and T2"):
        to_slices(volume(), RECIPE)
    with pytest.raises(ConfigError, match="no channel PD"):
        check_channels(joined({"PD": volume()}), RECIPE)
    with pytest.raises(
        ConfigError, match="channels T1 of one case, and the network takes a single scan"
    ):
        check_channels(case, SliceRecipe())
    with pytest.raises(ConfigError, match="no scan"):
        joined({})


def test_a_recipe_for_a_single_scan_is_stored_as_before() -> None:
    assert "channel_names" not in SliceRecipe().model_dump()
    assert RECIPE.model_dump()["channel_names"] == ("T1", "T2")
    with pytest.raises(ValueError, match="same name"):
        SliceRecipe(channel_names=("T1", "t1"))
