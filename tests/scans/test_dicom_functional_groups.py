"""In the functional groups of an enhanced object only the public macros speak."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from dicom_series import assert_every_voxel_at_its_position, enhanced, save, series
from rma_mamba.scans import count_volumes, read_scan
from rma_mamba.scans.dicom_functional_groups import split_frames
from rma_mamba.scans.dicom_image import DicomImage


def contradiction() -> Dataset:
    """An item that repeats every element of a frame with another value."""
    item = Dataset()
    item.ImagePositionPatient, item.ImageOrientationPatient = [7, 8, 9], [0, 1, 0, 0, 0, -1]
    item.PixelSpacing, item.SliceThickness, item.SpacingBetweenSlices = [9, 9], 9, 9
    item.RescaleSlope, item.RescaleIntercept = 5, 77
    item.ImageType = item.FrameType = ["DERIVED", "SECONDARY", "LOCALIZER"]
    item.Rows, item.Columns, item.PixelPaddingValue = 3, 3, 17
    item.EffectiveEchoTime = item.EchoTime = 4.6
    item.Modality, item.SeriesInstanceUID, item.FrameOfReferenceUID = "PT", "1.2.3", "1.2.4"
    return item


def private(group: Dataset) -> None:
    block = group.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
    block.add_new(0x0F, "SQ", [contradiction()])


def private_in_a_macro(group: Dataset) -> None:
    private(group.PlanePositionSequence[0])


def macro_in_a_private_item(group: Dataset) -> None:
    item = Dataset()
    item.PlanePositionSequence, item.PixelMeasuresSequence = [contradiction()], [contradiction()]
    item.PixelValueTransformationSequence = [contradiction()]
    group.private_block(0x2005, "Philips MR Imaging DD 005", create=True).add_new(
        0x0F, "SQ", [item]
    )


def other_macro(keyword: str) -> Callable[[Dataset], None]:
    def edit(group: Dataset) -> None:
        setattr(group, keyword, [contradiction()])

    return edit


def elements_of_other_macros(group: Dataset) -> None:
    """Elements within a macro that another macro defines."""
    position = group.PlanePositionSequence[0].ImagePositionPatient
    slope, intercept = (
        group.PixelValueTransformationSequence[0].RescaleSlope,
        group.PixelValueTransformationSequence[0].RescaleIntercept,
    )
    group.PlanePositionSequence = [contradiction()]
    group.PlanePositionSequence[0].ImagePositionPatient = position
    group.PixelValueTransformationSequence = [contradiction()]
    group.PixelValueTransformationSequence[0].RescaleSlope = slope
    group.PixelValueTransformationSequence[0].RescaleIntercept = intercept
    group.FrameContentSequence = [contradiction()]


def second_item(group: Dataset) -> None:
    group.PlanePositionSequence.append(contradiction())


EDITS: dict[str, Callable[[Dataset], None]] = {
    "private": private,
    "private in a public macro": private_in_a_macro,
    "a macro in a private item": macro_in_a_private_item,
    "elements of other macros": elements_of_other_macros,
    "a second item": second_item,
    **{
        keyword: other_macro(keyword)
        for keyword in (
            *("ReferencedImageSequence", "DerivationImageSequence", "IconImageSequence"),
            *("RealWorldValueMappingSequence", "FrameVOILUTSequence", "FrameAnatomySequence"),
            *("PlanePositionVolumeSequence", "ConversionSourceAttributesSequence"),
            *("SourceImageSequence", "RequestAttributesSequence", "CTPositionSequence"),
        )
    },
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_sequences_that_are_no_public_macro_do_not_speak(
    tmp_path: Path, edit: Callable[[Dataset], None]
) -> None:
    slices = series()
    data = enhanced(slices)
    groups = data.PerFrameFunctionalGroupsSequence
    for group in groups[::2]:
        edit(group)
    folder = save(tmp_path, [data])
    assert count_volumes(folder) == 1
    volume = read_scan(folder, strict=True)
    assert_every_voxel_at_its_position(volume, slices)
    assert volume.warnings == ()


@pytest.mark.parametrize("edit", [private, other_macro("ReferencedImageSequence")])
def test_the_shared_groups_are_read_by_the_same_rule(tmp_path: Path, edit: Any) -> None:
    slices = series()
    data = enhanced(slices)
    edit(data.SharedFunctionalGroupsSequence[0])
    for group, each in zip(data.PerFrameFunctionalGroupsSequence, slices, strict=True):
        del group.PixelValueTransformationSequence
        each.RescaleSlope, each.RescaleIntercept = 1, 0
    volume = read_scan(save(tmp_path, [data]))
    assert np.array_equal(volume.geometry.spacing_mm, (0.75, 1.5, 2.5))
    assert volume.values.max() == 6 * 5 * 4 - 1


def test_an_icon_and_private_copies_in_a_single_image_do_not_speak(tmp_path: Path) -> None:
    slices = series()
    for data in slices:
        icon = contradiction()
        icon.BitsAllocated, icon.BitsStored, icon.HighBit = 8, 8, 7
        icon.PixelData = b"\x11" * 10
        data.IconImageSequence = [icon]
        data.ReferencedImageSequence = [contradiction()]
        private(data)
    volume = read_scan(save(tmp_path, slices), strict=True)
    assert_every_voxel_at_its_position(volume, slices)
    assert volume.warnings == ()


def test_elements_of_a_converted_image_distinguish_volumes_but_do_not_place_them(
    tmp_path: Path,
) -> None:
    slices = [*series(), *series()]
    data = enhanced(slices)
    for number, group in enumerate(data.PerFrameFunctionalGroupsSequence):
        item = contradiction()
        item.EchoTime = 2.3 if number < 6 else 4.6
        group.UnassignedPerFrameConvertedAttributesSequence = [item]
    folder = save(tmp_path, [data])
    assert count_volumes(folder) == 2
    assert_every_voxel_at_its_position(read_scan(folder, volume=2), series())


def test_a_count_of_frames_is_not_needed(tmp_path: Path) -> None:
    slices = series()
    data = enhanced(slices)
    del data.NumberOfFrames
    assert_every_voxel_at_its_position(read_scan(save(tmp_path, [data])), slices)


def test_frames_are_numbered_from_1() -> None:
    image = DicomImage(None, enhanced(series()), "1.2.840.10008.1.2.1")  # type: ignore[arg-type]
    assert [each.frame for each in split_frames(image)] == [1, 2, 3, 4, 5, 6]
