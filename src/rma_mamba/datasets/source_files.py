"""Image and label files of the sources of a recipe, by patient and split."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from rma_mamba.conventions import NIFTI_SUFFIXES
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

    def label(self, source: SourceConfig, image: Path) -> Path:
        """The label file of an image.

        Raises:
            ConfigError: The image has no label.
        """
        folder = Path(self.config.root) / source.labels
        if folder not in self._labels:
            self._labels[folder] = _by_stem(self._listing(folder))
        candidates = self._labels[folder].get(_stem(image), [])
        for label in sorted(candidates, key=lambda path: path.name != image.name):
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
        files = [path for path in self._matching(source) if path.name.endswith(suffixes)]
        if not files:
            raise ConfigError(
                f"source {source.name}: found no {' or '.join(suffixes)} files matching '{source.files}' in "
                f"{source.images}; expected images there. Set data.root to the folder that contains it."
            )
        patients: dict[str, list[Path]] = {}
        for path in files:
            match = re.fullmatch(source.patient, path.name)
            if match is None:
                raise ConfigError(
                    f"source {source.name}: a file name does not match the patient pattern; expected "
                    f"'{source.patient}' to match every file name. Change 'patient' or 'files'."
                )
            patients.setdefault(patient_id(as_text(match[1])), []).append(path)
        return patients

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


def _stem(path: Path) -> str:
    """The file name up to its first dot: an image and its label may have different suffixes."""
    return path.name.split(".")[0]
