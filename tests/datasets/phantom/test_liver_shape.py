"""A phantom can have the liver of a patient: its shape is kept, and everything around it is drawn."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from rma_mamba.datasets.cases import phantom_cases
from rma_mamba.datasets.config import DataConfig
from rma_mamba.datasets.phantom import LiverShape, make_phantom, shape_files
from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.slicing import SliceRecipe

SPACING_MM = (3.0, 3.0, 5.0)
SMALL = {"shape": (96, 96, 30), "spacing_mm": (3.6, 3.6, 8.0)}
SOURCE = {"name": "a", "kind": "volumes", "dataset": "a", "images": "images", "labels": "labels"}


def write(path: Path, directions: tuple[int, int, int] = (1, 1, 1)) -> Path:
    """A wedge: thick on the right, and two spikes on the left."""
    labels = np.zeros((50, 40, 30), np.uint8)
    labels[20:45, 5:35, 5:25] = 3
    labels[5:20, 5:12, 15:25] = 1
    affine = np.diag([*np.multiply(SPACING_MM, directions), 1.0])
    labels = labels[tuple(slice(None, None, step) for step in directions)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(labels, affine), path)
    return path


@pytest.mark.parametrize("directions", [(1, 1, 1), (-1, -1, 1), (-1, 1, -1)])
def test_a_shape_does_not_depend_on_the_axes_of_its_file(
    tmp_path: Path, directions: tuple[int, int, int]
) -> None:
    shape = LiverShape.read(write(tmp_path / "a.nii.gz", directions))
    assert shape.spacing_mm == SPACING_MM
    assert shape.mask.shape == (40, 30, 20)
    assert shape.mask[-1].all()  # right
    assert not shape.mask[0, -1].any()  # left, posterior to the spike
    assert shape.mask[0, 0, -1] == 1
    assert shape.mask[0, 0, 0] == 0
    assert shape.volume_mm3 == (25 * 30 * 20 + 15 * 7 * 10) * 45


def test_the_phantom_has_the_liver_of_the_file(tmp_path: Path) -> None:
    shape = LiverShape.read(write(tmp_path / "a.nii.gz"))
    plain = make_phantom(1, contrast="ct", **SMALL)  # type: ignore[arg-type]
    made = make_phantom(1, contrast="ct", liver_shape=shape, **SMALL)  # type: ignore[arg-type]
    assert not np.array_equal(made.mask.labels, plain.mask.labels)
    assert 0.5 < made.mask.volume_ml / (shape.volume_mm3 / 1000) <= 1.02
    assert ndimage.label(made.mask.labels)[1] == 1
    right_to_left = made.mask.labels.sum(axis=(1, 2))
    filled = np.flatnonzero(right_to_left)
    middle = (filled[0] + filled[-1]) / 2
    assert right_to_left[int(middle) :].sum() > 2 * right_to_left[: int(middle)].sum()


def test_a_file_without_labels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), path)
    with pytest.raises(ScanError, match=r"empty\.nii\.gz has no label above 0"):
        LiverShape.read(path)


def test_phantoms_of_a_recipe_take_the_shapes_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def arrays(recipe: SliceRecipe, number: int, liver: Path | None) -> dict[str, object]:
        taken.append((number, liver and liver.name))
        return {
            "images": np.zeros((2, 32, 32), np.uint8),
            "labels": np.zeros((2, 32, 32), np.uint8),
        }

    monkeypatch.setattr("rma_mamba.datasets.cases.phantom_arrays", arrays)
    for name in ("b.nii.gz", "a.nii.gz"):
        write(tmp_path / "shapes" / name)
    phantoms = {"count": 3, "liver_shapes": "shapes"}
    config = {"root": str(tmp_path), "sources": [SOURCE], "phantoms": phantoms}
    phantom_cases(DataConfig.model_validate(config))
    assert taken == [(0, "a.nii.gz"), (1, "b.nii.gz"), (2, "a.nii.gz")]
    assert [path.name for path in shape_files(tmp_path / "shapes")] == ["a.nii.gz", "b.nii.gz"]


def test_a_folder_without_shapes_is_refused(tmp_path: Path) -> None:
    phantoms = {"count": 3, "liver_shapes": "shapes"}
    config = {"root": str(tmp_path), "sources": [SOURCE], "phantoms": phantoms}
    with pytest.raises(ConfigError, match="no NIfTI file in 'shapes'"):
        phantom_cases(DataConfig.model_validate(config))
