"""Every reader of masks and labels applies the same rule."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from rma_mamba.datasets.config import SourceConfig
from rma_mamba.datasets.labelled_images import class_bits, read_grey_image
from rma_mamba.datasets.layouts.case_reader import _mask
from rma_mamba.datasets.layouts.plain_folders import _RULE
from rma_mamba.errors import ScanError
from rma_mamba.evaluation.masks import read_liver_mask
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.labels import liver_in, liver_in_grey_levels
from rma_mamba.scans import read_scan

VALUES = st.sampled_from([0, 0, 0, 1, 2, 6, 63, 127, 255])
STRAY = np.array([0] * 15 + [255] * 8 + [6], np.int16).reshape(2, 3, 4)


def result(read: Callable[[], np.ndarray]) -> list[int] | str:
    """Liver voxels in file order, or that there is an error."""
    try:
        return read().astype(int).ravel().tolist()
    except ScanError:
        return "error"


@given(
    values=hnp.arrays(
        st.sampled_from([np.uint8, np.int16, np.float32]), (2, 3, 4), elements=VALUES
    ),
    liver=st.sets(st.sampled_from([1, 2, 6, 255]), min_size=1),
)
@example(values=STRAY, liver={1})
@example(values=STRAY, liver={6})
@example(values=STRAY.clip(0, 5) // 5 * 255, liver={1})
@settings(max_examples=60, deadline=None)
def test_scoring_training_and_dataset_checks_read_the_same_liver(
    values: np.ndarray, liver: set[int]
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mask.nii"
        nib.save(nib.Nifti1Image(values, np.eye(4)), path)
        stored = read_scan(path)
        source = SourceConfig.model_construct(name="source", liver=tuple(sorted(liver)))

        def scored() -> np.ndarray:
            mask = read_liver_mask(path, sorted(liver))
            return stored.geometry.canonical.undo(mask.bits)

        found = [
            result(scored),
            result(lambda: class_bits(source, stored.values, LabelScheme())),
            result(lambda: _RULE.with_liver(sorted(liver)).liver_in(stored.values)),
            result(lambda: liver_in(values, liver)),
        ]
    assert all(each == found[0] for each in found), found


def test_a_stray_voxel_is_an_error_for_all_readers_rather_than_a_different_volume_for_each() -> (
    None
):
    assert result(lambda: liver_in(STRAY, {1})) == "error"
    assert result(lambda: _RULE.liver_in(STRAY)) == "error"


@given(
    levels=hnp.arrays(np.uint8, (5, 4), elements=st.sampled_from([0, 0, 1, 6, 63, 64, 127, 255])),
    suffix=st.sampled_from([".png", ".bmp"]),
)
@example(levels=np.array([[0, 255], [255, 6]], np.uint8), suffix=".png")
@example(levels=np.array([[0, 127], [249, 7]], np.uint8), suffix=".png")
@settings(max_examples=40, deadline=None)
def test_scoring_training_and_dataset_checks_read_the_same_liver_in_images_of_one_structure(
    levels: np.ndarray, suffix: str
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"mask{suffix}"
        Image.fromarray(levels).save(path)
        scored = read_liver_mask(path)
        trained = liver_in_grey_levels(read_grey_image(path))
        assert int(scored.bits.sum()) == int(trained.sum())
        if levels.max() > 63 or levels.max() <= 1:  # others are label values, which a check reports
            checked = _RULE.liver_in(_mask(path, _RULE).values)
            assert int(checked.sum()) == int(trained.sum())
