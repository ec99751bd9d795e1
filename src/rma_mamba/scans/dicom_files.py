"""Which of the files of a study are DICOM, and what is to be said of those that are not, or are damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rma_mamba.errors import ScanError
from rma_mamba.scans.dicom_image import DicomImage, frames_of, open_image
from rma_mamba.scans.input_files import InputFile
from rma_mamba.scans.slice_grid import MAX_MISSING_FRACTION

_SUFFIXES = (".dcm", ".dicom", ".ima")


@dataclass(frozen=True)
class Files:
    """The files of a study.

    Args:
        images: The DICOM files, of enhanced objects the frames.
        strangers: How many files that may have been slices are no DICOM.
        damaged: How many DICOM files, or frames of one, cannot be read.
    """

    images: list[DicomImage]
    strangers: int
    damaged: int

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each kind of files that were passed over."""
        others = {image.entry.name for image in self.images if not image.is_slice}
        return (*_strange(self.strangers), *_damage(self.damaged), *_ignored(len(others)))


def read_files(entries: Sequence[InputFile], *, strict: bool = False) -> Files:
    """Tell the DICOM images among files.

    Args:
        entries: All files.
        strict: Refuse damaged files, instead of passing over a few of them.

    Raises:
        ScanError: There are no images, or damaged files, if strict; else more of them than half of the images.
    """
    found: list[DicomImage] = []
    damaged, strangers = 0, 0
    for entry in entries:
        image, is_dicom = open_image(entry)
        directory = entry.base == "DICOMDIR"
        # an empty file, or one named as slices are: a slice at the end of a series would be lost unseen
        is_dicom |= entry.suffix in _SUFFIXES
        strangers += not is_dicom and entry.suffix == "" and not directory
        try:
            found += frames_of(image) if image and image.is_slice else [image] if image else []
        except MemoryError:
            raise
        except Exception:  # functional groups that are damaged raise exceptions of any type
            image = None
        damaged += is_dicom and image is None and not directory
    if damaged and (strict or damaged > MAX_MISSING_FRACTION * len(found)):
        files = "DICOM file" if damaged == 1 else "DICOM files"
        raise ScanError(
            f"{damaged} {files} of the scan cannot be read (cut off or damaged); expected a complete "
            "series. Export or copy the whole series again."
        )
    if not found:
        what = "there are no DICOM images" if entries else "the folder is empty"
        raise ScanError(
            f"{what}; expected the files of a DICOM series. "
            "Give the folder, the zip archive or the file of the scan itself."
        )
    return Files(found, strangers, damaged)


def _damage(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    found = "1 DICOM image is" if count == 1 else f"{count} DICOM images are"
    were = "it was" if count == 1 else "they were"
    return (
        f"{found} cut off or damaged: {were} passed over, and the mask may lack slices at the ends.",
    )


def _strange(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    found = "1 file without ending is" if count == 1 else f"{count} files without ending are"
    return (f"{found} no DICOM: if it was a slice, the mask is not complete.",)


def _ignored(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    found = (
        "1 DICOM file that is no slice was"
        if count == 1
        else f"{count} DICOM files that are no slices were"
    )
    return (f"{found} passed over (localizers, reports, masks).",)
