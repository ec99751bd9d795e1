"""PNG and JPEG slices with several channels: files, arrays, sizes, missing channels, scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from layouts import save_image
from rma_mamba.datasets.audit import require_sound_data
from rma_mamba.datasets.canvas_arrays import slice_arrays
from rma_mamba.datasets.cases import read_cases
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.labelled_images import read_slice, stacked
from rma_mamba.datasets.slices import SliceDataset
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.errors import DataError, GridError
from two_scans import data_settings, slice_source, write_two_scan_slices


def config(root: Path, **changes: Any) -> DataConfig:
    return DataConfig.model_validate(
        data_settings(root, **{"sources": [slice_source()], **changes})
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_two_scan_slices(tmp_path, missing=[("P1", "T1")])


def test_slices_of_one_name_are_channels_of_one_case(root: Path) -> None:
    first, second = read_cases(config(root), "train")
    assert (first.patient, first.present) == ("P1", (False, True))
    assert (second.patient, second.present) == ("P2", (True, True))
    assert second.images.shape == (10, 2, *second.labels.shape[1:])
    assert second.images[5, 0, 16, 16] != second.images[5, 1, 16, 16]
    assert not first.images[:, 0].any()
    sample = SliceDataset([first], neighbours=True, transform=lambda data: data)[5]
    assert sample["image"].shape[0] == 6
    assert not sample["image"][:3].any()
    assert torch.is_nonzero(sample["image"][3:].max())


def test_files_may_have_different_suffixes(tmp_path: Path) -> None:
    root = write_two_scan_slices(tmp_path, first="jpg")
    files = SourceFiles(config(root))
    (source,) = files.config.sources
    image = files.images(source, "test")["P3"][4]
    assert {name: path.name for name, path in files.channels(source, image).items()} == {
        "T1": "P3_z0004.jpg",
        "T2": "P3_z0004.png",
    }
    volume, labels = read_slice(files, source, image)
    assert [*volume.channels] == ["T1", "T2"]
    assert labels.any()


def test_channels_of_different_sizes_are_rejected_with_both_files(root: Path) -> None:
    save_image(root / "T2" / "P2_z0004.png", np.zeros((40, 40), np.uint8))
    data = config(root)
    message = (
        r"T1 \(T1/P2_z0004.png\) has 44 x 40 pixels and T2 \(T2/P2_z0004.png\) has 40 x 40 pixels; "
        "expected the same size"
    )
    with pytest.raises(GridError, match=f"source MR, patient P2: {message}"):
        read_cases(data, "train")
    with pytest.raises(DataError, match=message):
        require_sound_data(data, ["train"])


def test_a_channel_of_some_slices_is_rejected(root: Path) -> None:
    (root / "T2" / "P2_z0004.png").unlink()
    data = config(root)
    with pytest.raises(GridError, match="9 of 10 slices have the channel T2; expected all or none"):
        read_cases(data, "train")
    with pytest.raises(DataError, match="9 of 10 slices have the channel T2"):
        require_sound_data(data, ["train"])


def test_a_channel_that_is_a_copy_is_rejected(root: Path) -> None:
    for path in (root / "T1").glob("P2*"):
        (root / "T2" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="the channels T1 and T2 are the same image"):
        require_sound_data(config(root), ["train"])
    require_sound_data(config(root), ["val", "test"])


def test_slices_are_turned_mirrored_and_stacked_with_all_channels(root: Path) -> None:
    files = SourceFiles(config(root))
    (source,) = files.config.sources
    plain, turned = (
        [read_slice(files, each, path)[0] for path in files.images(source, "test")["P3"]]
        for each in (source, source.model_copy(update={"quarter_turns": 2}))
    )
    for name in ("T1", "T2"):
        one, other = (each[4].channels[name].values for each in (plain, turned))
        assert np.array_equal(one[::-1, ::-1], other)
    volume = stacked(plain, 6.0)
    assert [*volume.channels] == ["T1", "T2"]
    assert np.array_equal(volume.channels["T2"].values[:, :, 4:5], plain[4].channels["T2"].values)
    with pytest.raises(GridError, match="different channels; expected the same in all"):
        stacked([plain[0], plain[1].channels["T1"]], 6.0)


def test_a_window_restores_the_units_of_all_channels(root: Path) -> None:
    files = SourceFiles(config(root, sources=[slice_source(window_hu=(-160.0, 240.0))]))
    (source,) = files.config.sources
    images = files.images(source, "test")["P3"]
    assert slice_arrays(files, source, images)["hounsfield"]
    volume, _ = read_slice(files, source, images[0])
    assert {each.intensity_unit for each in volume.channels.values()} == {"HU"}  # type: ignore[attr-defined]
