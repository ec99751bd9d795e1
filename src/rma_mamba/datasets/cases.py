"""Cases: the slices of one patient as the network sees them, with their labels, as 8 bits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from rma_mamba.datasets.cache import Arrays, cached, fingerprint
from rma_mamba.datasets.config import DataConfig, Side, SourceConfig, SplitConfig, normalised
from rma_mamba.datasets.phantom import CONTRASTS, make_phantom
from rma_mamba.datasets.splits import side_of
from rma_mamba.errors import ConfigError, GridError, ScanError
from rma_mamba.scans import read_scan
from rma_mamba.slicing import IntensityScale, SlicePlan, SliceRecipe, calibrated
from rma_mamba.volume import Geometry, Volume

Grey = npt.NDArray[np.uint8]

_EIGHT_BITS = IntensityScale(0, 255)
_PICTURES = (".png", ".jpg", ".jpeg")
_VOLUMES = (".nii", ".nii.gz")
MASK_THRESHOLD = 63  # of 8-bit masks: 127 or 255 is liver; JPG masks ring around 0
_DECIDE_ARRAYS = {"kind", "liver", "modality", "pixel_mm", "quarter_turns", "mirrored_at_random"}
_ROUNDING = 1e-3  # of whole numbers in labels that were stored as floats


@dataclass(frozen=True, eq=False)
class Case:
    """Slices of one patient.

    Args:
        source: Name of the source.
        patient: Number inside its cohort.
        images: uint8 [slice, height, width] on the network's canvas, from foot to head if ordered.
        labels: 1 where the liver is, same shape.
        ordered: Whether slices lie on top of each other.
        weight: Of the source.
        tissues: Label values of all organs that are known, 0 elsewhere, same shape; None: of the liver alone.
        gap_mm: Distance of neighbouring slices; None: not known.
    """

    source: str
    patient: str
    images: Grey
    labels: Grey
    ordered: bool
    weight: float = 1.0
    tissues: Grey | None = None
    gap_mm: float | None = None


def read_cases(config: DataConfig, side: Side) -> list[Case]:
    """All cases of one side of the split, every source in the order of its file names.

    Raises:
        ConfigError: A folder is missing or holds no image, a file name does not match, or a source has
            no liver.
        ScanError: A file cannot be read.
        GridError: An image and its label are on different grids.
    """
    check_split(config)
    cases = []
    for source in config.sources:
        found = list(_source_cases(config, source, side))
        if found and not any(case.labels.any() for case in found):
            raise ConfigError(
                f"source {source.name}: no label on the {side} side holds liver (value "
                f"{', '.join(map(str, source.liver))}); expected some. Check 'labels' and 'liver'."
            )
        cases += found
    return cases


def check_split(config: DataConfig) -> None:
    """See that no patient of a cohort is on two sides.

    Raises:
        ConfigError: One is.
    """
    sides: dict[tuple[str, str], Side] = {}
    for source in config.sources:
        for side in get_args(Side):
            for patient in case_files(config, source, side):
                if sides.setdefault((source.cohort, patient), side) != side:
                    raise ConfigError(
                        f"a patient of cohort {source.cohort} is on two sides of the split "
                        f"({sides[source.cohort, patient]} and {side}); expected one. Move all scans "
                        "of a patient to one side."
                    )


def phantom_cases(config: DataConfig) -> list[Case]:
    """The synthetic abdomens of a recipe, with contrasts in turn."""
    cases = []
    for seed in range(config.phantoms.count):
        key = {"phantom": seed, "recipe": config.recipe.model_dump(mode="json")}
        arrays = cached(config.cache, key, partial(_phantom_arrays, config, seed))
        cases.append(_case("phantom", str(seed), arrays, True, config.phantoms.weight))
    return cases


def case_files(config: DataConfig, source: SourceConfig, side: Side) -> dict[str, list[Path]]:
    """Image files of the patients on one side, by patient.

    Raises:
        ConfigError: The folder holds no image, a file name does not match, or folds outnumber patients.
    """
    patients = _image_files(config, source)
    if source.side is not None:
        return patients if source.side == side else {}
    split = config.splits.get(source.cohort, SplitConfig())
    cohort = _cohort(config, source.cohort) if split.folds else ()
    return {
        patient: files
        for patient, files in patients.items()
        if side_of(split, patient, cohort) == side
    }


def _cohort(config: DataConfig, cohort: str) -> set[str]:
    """All patients of a cohort whose side its split decides."""
    sources = [each for each in config.sources if each.cohort == cohort and each.side is None]
    return {patient for source in sources for patient in _image_files(config, source)}


def _image_files(config: DataConfig, source: SourceConfig) -> dict[str, list[Path]]:
    """All image files of a source, by patient."""
    folder = Path(config.root) / source.images
    endings = _VOLUMES if source.kind == "volumes" else _PICTURES
    files = sorted(path for path in folder.glob(source.files) if path.name.endswith(endings))
    if not files:
        raise ConfigError(
            f"source {source.name}: found no {' or '.join(endings)} file like '{source.files}' in "
            f"{source.images}; expected images there. Set data.root to the folder it lies in."
        )
    patients: dict[str, list[Path]] = {}
    for path in files:
        match = re.fullmatch(source.patient, path.name)
        if match is None:
            raise ConfigError(
                f"source {source.name}: a file name does not match the pattern of its patient; "
                f"expected '{source.patient}' to match every name. Change 'patient' or 'files'."
            )
        patients.setdefault(normalised(match[1]), []).append(path)
    return patients


def label_file(config: DataConfig, source: SourceConfig, image: Path) -> Path:
    """The label that belongs to an image file.

    Raises:
        ConfigError: There is none.
    """
    folder = Path(config.root) / source.labels
    stem = image.name.split(".")[0]
    for candidate in (folder / image.name, *sorted(folder.glob(f"{stem}.*"))):
        if candidate.is_file():
            return candidate
    raise ConfigError(
        f"source {source.name}: an image has no label of the same name in {source.labels}; "
        "expected one each. Remove the image or add the label."
    )


def read_volume(
    config: DataConfig, source: SourceConfig, image: Path
) -> tuple[Volume, npt.NDArray[np.uint8]]:
    """A volume, and its labels on the same grid: 1 where the liver is.

    Raises:
        GridError: The label lies on another grid.
    """
    volume, values = _read_pair(config, source, image)
    return volume, _liver(values, source)


def _read_pair(
    config: DataConfig, source: SourceConfig, image: Path
) -> tuple[Volume, npt.NDArray[Any]]:
    """A volume, and the values of all labels on its grid."""
    volume, label = read_scan(image), read_scan(label_file(config, source, image))
    if not label.geometry.matches(volume.geometry, tolerance_mm=0.1):
        raise GridError(
            f"source {source.name}: a label of shape {label.geometry.shape} lies on another grid than "
            f"its image of shape {volume.geometry.shape}; expected one grid. Resample the label."
        )
    volume = Volume(volume.values, volume.geometry, source.modality or volume.modality)
    return volume, label.values


def _liver(values: npt.NDArray[Any], source: SourceConfig) -> npt.NDArray[np.uint8]:
    """1 where the label is one of the source's liver values; 0 and 255 stand for 0 and 1.

    Raises:
        ConfigError: Values are no whole numbers.
    """
    whole = np.rint(values)
    if np.abs(values - whole).max() > _ROUNDING:
        raise ConfigError(
            f"source {source.name}: a label holds values between whole numbers "
            f"({float(values.min()):g} to {float(values.max()):g}); expected one number for each organ. "
            "Resample labels by nearest neighbour."
        )
    found = np.unique(whole)
    values_of_liver = (255,) if found[-1] == 255 and len(found) <= 2 else source.liver
    liver: npt.NDArray[np.uint8] = np.isin(whole, values_of_liver).astype(np.uint8)
    return liver


def read_slice(
    config: DataConfig, source: SourceConfig, image: Path
) -> tuple[Volume, npt.NDArray[np.uint8]]:
    """A picture as a volume of one slice, and its labels.

    Raises:
        GridError: The label has another size.
        ScanError: A file cannot be read.
    """
    grey = np.rot90(read_picture(image), source.quarter_turns)
    label = np.rot90(read_picture(label_file(config, source, image)), source.quarter_turns)
    if grey.shape != label.shape:
        raise GridError(
            f"source {source.name}: a slice of {grey.shape} pixels has a mask of {label.shape}; "
            "expected one size. Repair the pair."
        )
    if source.mirrored_at_random and _is_mirrored(grey, label):
        grey, label = grey[:, ::-1], label[:, ::-1]
    affine = np.diag([-source.pixel_mm, -source.pixel_mm, 1.0, 1.0])  # to the left, to the back
    values = grey.T[:, :, None]
    threshold = 0 if label.max() <= 1 else MASK_THRESHOLD  # some masks are 0 and 1
    labels = (label > threshold).astype(np.uint8).T[:, :, None]
    return Volume(values, Geometry(values.shape, affine)), labels


def _is_mirrored(grey: Grey, label: Grey) -> bool:
    """Whether the liver lies on the patient's left: right of the body's middle, as pictures are shown."""
    liver, body = np.nonzero(label > MASK_THRESHOLD)[1], np.nonzero(grey > 0.15 * grey.max())[1]
    return liver.size > 0 and bool(liver.mean() > body.mean())


def read_picture(path: Path) -> Grey:
    """A PNG or JPG file as 8-bit grey values [row, column].

    Raises:
        ScanError: The file cannot be read.
    """
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("L"))
    except (OSError, ValueError):
        raise ScanError(
            f"{path.name} cannot be read as a picture; expected PNG or JPG. Get the file again."
        ) from None


def to_grey(
    volume: Volume,
    labels: npt.NDArray[Any],
    recipe: SliceRecipe,
    scale: IntensityScale | None = None,
) -> tuple[Grey, Grey]:
    """All slices of a labelled volume on the network's canvas, in 8 bits."""
    if scale is None:
        scan = calibrated(volume)
        volume, scale = scan, IntensityScale.of_volume(scan, recipe)
    plan, order = SlicePlan(volume.geometry, recipe), volume.geometry.canonical
    images = plan.to_canvas(scale.apply(order.apply(volume.values)))
    masks = plan.to_canvas(order.apply(labels))
    return np.rint(images * 255).astype(np.uint8), (masks > 0.5).astype(np.uint8)


def _source_cases(config: DataConfig, source: SourceConfig, side: Side) -> Iterator[Case]:
    make = _volume_arrays if source.kind == "volumes" else _slices_arrays
    for patient, files in case_files(config, source, side).items():
        labels = [label_file(config, source, path) for path in files]
        key = {
            "files": fingerprint([*files, *labels]),
            "recipe": config.recipe.model_dump(mode="json"),
            "source": source.model_dump(mode="json", include=_DECIDE_ARRAYS),
        }
        with _of_patient(source, patient):
            arrays = cached(config.cache, key, partial(make, config, source, files))
        ordered = source.ordered or (source.kind == "volumes" and len(files) == 1)
        yield _case(source.name, patient, arrays, ordered, source.weight)


@contextmanager
def _of_patient(source: SourceConfig, patient: str) -> Iterator[None]:
    """Name the patient in an error: among hundreds nobody else would find the file."""
    try:
        yield
    except (ScanError, GridError) as error:
        what = str(error).removeprefix(f"source {source.name}: ")
        raise type(error)(f"source {source.name}, patient {patient}: {what}") from error


def _case(source: str, patient: str, arrays: Arrays, ordered: bool, weight: float) -> Case:
    gap = arrays.get("gap_mm")
    return Case(
        source,
        patient,
        arrays["images"],
        arrays["labels"],
        ordered,
        weight,
        arrays.get("tissues"),
        None if gap is None else float(gap),
    )


def _volume_arrays(config: DataConfig, source: SourceConfig, files: list[Path]) -> Arrays:
    parts, gaps = [], []
    for path in files:
        volume, values = _read_pair(config, source, path)
        order = volume.geometry.canonical
        organs = order.apply(np.clip(values, 0, 255).astype(np.uint8))
        tissues: Grey = SlicePlan(volume.geometry, config.recipe).labels_to_canvas(organs)
        parts.append((*to_grey(volume, _liver(values, source), config.recipe), tissues))
        gaps.append(volume.geometry.spacing_mm[order.permutation[0]])
    images, labels, tissues = (_stacked([part[number] for part in parts]) for number in range(3))
    return {"images": images, "labels": labels, "tissues": tissues, "gap_mm": np.array(max(gaps))}


def _slices_arrays(config: DataConfig, source: SourceConfig, files: list[Path]) -> Arrays:
    pairs = [
        to_grey(*read_slice(config, source, path), config.recipe, _EIGHT_BITS) for path in files
    ]
    images, labels = (_stacked([pair[number] for pair in pairs]) for number in range(2))
    return {"images": images, "labels": labels}


def _phantom_arrays(config: DataConfig, seed: int) -> Arrays:
    # seeds from 1000 on: the small ones belong to the demonstration
    contrast = CONTRASTS[seed % len(CONTRASTS)]
    phantom = make_phantom(1000 + seed, contrast=contrast, randomise=True)
    images, labels = to_grey(phantom.volume, phantom.mask.labels, config.recipe)
    return {"images": images, "labels": labels}


def _stacked(slices: list[Grey]) -> Grey:
    """Slices of different canvases in one array, each in its middle."""
    height, width = (max(each.shape[axis] for each in slices) for axis in (1, 2))
    stack = np.zeros((sum(map(len, slices)), height, width), np.uint8)
    done = 0
    for each in slices:
        top, left = (height - each.shape[1]) // 2, (width - each.shape[2]) // 2
        area = slice(top, top + each.shape[1]), slice(left, left + each.shape[2])
        stack[done : done + len(each), *area] = each
        done += len(each)
    return stack
