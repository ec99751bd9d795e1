"""Image and label files of the sources of a recipe, by patient and split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from rma_mamba.conventions import NIFTI_SUFFIXES, strip_suffix
from rma_mamba.datasets.channel_files import channel_files
from rma_mamba.datasets.config import DataConfig, SourceConfig
from rma_mamba.datasets.splits import SPLITS, Split, SplitConfig, patient_id, split_of
from rma_mamba.errors import ConfigError, DataError
from rma_mamba.folder_tree import as_text, is_ignored, once, visible

SLICE_SUFFIXES = (".png", ".jpg", ".jpeg")


class SourceFiles:
    """The files of all sources of a recipe.

    Every folder is listed once, when it is first needed. Files that are added or removed later are not noticed.

    Args:
        config: Data settings of the recipe.
    """

    def __init__(self, config: DataConfig) -> None:
        self.config = config
        self._listings: dict[Path, list[Path]] = {}
        self._images: dict[str, dict[str, list[Path]]] = {}
        self._labels: dict[Path, dict[str, list[Path]]] = {}
        self._channels: dict[str, dict[Path, tuple[str, dict[str, Path]]]] = {}

    def images(self, source: SourceConfig, split: Split) -> dict[str, list[Path]]:
        """Image files of the patients of one split, by patient ID.

        Raises:
            ConfigError: The folder contains no images, a file name does not match the patient pattern, or there are
                more folds than patients.
        """
        patients = self._all_images(source)
        if split == "val" and not self.config.validation:
            return {}
        if source.split is not None:
            return patients if self._used_as(source.split) == split else {}
        config = self.config.splits.get(source.dataset, SplitConfig())
        dealt = self._patients(source.dataset) if config.folds else ()
        return {
            patient: files
            for patient, files in patients.items()
            if self._used_as(split_of(config, patient, dealt)) == split
        }

    def _used_as(self, split: Split) -> Split:
        """The split of a patient in this training run: without validation, all but test patients are trained on."""
        return "train" if split == "val" and not self.config.validation else split

    def channels(self, source: SourceConfig, image: Path) -> dict[str, Path]:
        """The file of each channel of a case that has several; empty for a single scan.

        Args:
            source: The source.
            image: The image of the case as listed by `images`: that of the first channel that the case has.
        """
        self._all_images(source)
        return self._channels.get(source.name, {}).get(image, ("", {}))[1]

    def files_of(self, source: SourceConfig, images: Sequence[Path]) -> list[Path]:
        """All image files of cases, those of all channels."""
        files = [self.channels(source, image).values() or (image,) for image in images]
        return [path for each in files for path in each]

    def case_path(self, source: SourceConfig, image: Path) -> PurePath:
        """The path of an image below the image folder of its source; with several channels, the name of the case."""
        named = self._channels.get(source.name, {}).get(image)
        if named is not None:
            return PurePath(named[0])
        return image.relative_to(Path(self.config.root) / source.images)

    def label(self, source: SourceConfig, image: Path) -> Path:
        """The label file of an image.

        Raises:
            ConfigError: The image has no label.
        """
        folder = Path(self.config.root) / source.labels
        if folder not in self._labels:
            self._labels[folder] = _by_stem(self._listing(folder))
        named = self._channels.get(source.name, {}).get(image)
        name = image.name if named is None else named[0]
        candidates = self._labels[folder].get(name.split(".")[0], [])
        for label in sorted(candidates, key=lambda path: path.name != name):
            if label.is_file():
                return label
        raise ConfigError(
            f"source {source.name}: an image has no label of the same name in {source.labels}; expected one label "
            "for each image. Add the label or remove the image."
        )

    def check_leakage(self) -> None:
        """Check that every patient of a dataset is in one split only.

        Raises:
            DataError: A patient is in two splits.
        """
        splits: dict[tuple[str, str], Split] = {}
        for source in self.config.sources:
            for split in SPLITS:
                for patient in self.images(source, split):
                    known = splits.setdefault((source.dataset, patient), split)
                    if known != split:
                        raise DataError(
                            f"data leakage: a patient of dataset {source.dataset} is in two splits, {known} and "
                            f"{split}; expected all scans of a patient in one split. Move them to one split."
                        )

    def _patients(self, dataset: str) -> set[str]:
        """All patients of a dataset, without sources that have a split of their own."""
        sources = [
            each for each in self.config.sources if each.dataset == dataset and each.split is None
        ]
        return {patient for source in sources for patient in self._all_images(source)}

    def _all_images(self, source: SourceConfig) -> dict[str, list[Path]]:
        if source.name not in self._images:
            self._images[source.name] = self._by_patient(source)
        return self._images[source.name]

    def _by_patient(self, source: SourceConfig) -> dict[str, list[Path]]:
        suffixes = NIFTI_SUFFIXES if source.kind == "volumes" else SLICE_SUFFIXES
        files = self._cases(source, suffixes)
        if not files:
            places = " or ".join(source.channels.values()) or source.images
            raise ConfigError(
                f"source {source.name}: found no {' or '.join(suffixes)} files matching '{source.files}' in "
                f"{places}; expected images there. Set data.root to the folder that contains it."
            )
        patients: dict[str, list[Path]] = {}
        for path, name in files.items():
            match = re.fullmatch(source.patient, name)
            if match is None:
                raise ConfigError(
                    f"source {source.name}: a file name does not match the patient pattern; expected "
                    f"'{source.patient}' to match every file name. Change 'patient' or 'files'."
                )
            patients.setdefault(patient_id(as_text(match[1])), []).append(path)
        return patients

    def _cases(self, source: SourceConfig, suffixes: Sequence[str]) -> dict[Path, str]:
        """The image of each case, and the name that contains its patient ID."""
        if not source.channels:
            found = [path for path in self._matching(source) if path.name.endswith(tuple(suffixes))]
            return {path: path.name for path in found}
        cases = channel_files(Path(self.config.root), source.channels, self._listing, suffixes)
        named = {next(iter(files.values())): (name, files) for name, files in cases.items()}
        self._channels[source.name] = {
            path: (name + _suffix(path, suffixes), files)
            for path, (name, files) in named.items()
            if fnmatchcase(name + _suffix(path, suffixes), source.files)
        }
        return {path: name for path, (name, _) in self._channels[source.name].items()}

    def _matching(self, source: SourceConfig) -> list[Path]:
        folder = Path(self.config.root) / source.images
        if len(PurePath(source.files).parts) > 1:  # images in subfolders
            return once(
                path
                for path in folder.glob(source.files)
                if not any(map(is_ignored, path.relative_to(folder).parts))
            )
        return [path for path in self._listing(folder) if path.match(source.files)]

    def _listing(self, folder: Path) -> list[Path]:
        """All files of a folder that are not hidden, by name; none if there is no such folder."""
        if folder not in self._listings:
            self._listings[folder] = visible(folder.iterdir()) if folder.is_dir() else []
        return self._listings[folder]


def _by_stem(paths: list[Path]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(_stem(path), []).append(path)
    return found


def _suffix(path: Path, suffixes: Sequence[str]) -> str:
    return path.name[len(strip_suffix(path.name, suffixes)) :]


def _stem(path: Path) -> str:
    """The file name up to its first dot: an image and its label may have different suffixes."""
    return path.name.split(".")[0]
