"""UIDs of derived DICOM objects: the same mask of the same images has the same UIDs, any other mask has others.

An archive that receives the result of a second run finds the object that it holds, and stores no second one.

Source: DICOM PS3.5 chapter 9 (unique identifiers).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property

from pydicom.uid import UID, generate_uid

from rma_mamba.conventions import SOFTWARE_NAME
from rma_mamba.source_images import SourceImages
from rma_mamba.volume import Mask


class DerivedUids:
    """The UIDs of all objects made from a mask.

    They are derived from the images, by their UIDs, and from the provenance of the mask: weights, settings and version.
    Where these do not determine the mask (it was corrected, or made by another program), from its voxels as well.

    Args:
        mask: The mask.
        images: The images of its scan.
    """

    def __init__(self, mask: Mask, images: SourceImages) -> None:
        self._mask, self._images = mask, images

    def series(self, modality: str) -> UID:
        """SeriesInstanceUID of the object of a modality: SEG, RTSTRUCT or SR."""
        return self._derived("series", modality)

    def instance(self, modality: str) -> UID:
        """SOPInstanceUID of the object of a modality."""
        return self._derived("instance", modality)

    def tracking(self, structure: str) -> UID:
        """Tracking UID of a structure, shared by the objects that describe it."""
        return self._derived("tracking", structure)

    def _derived(self, *purpose: str) -> UID:
        return generate_uid(entropy_srcs=[_digest((SOFTWARE_NAME, *purpose, *self._source))])

    @cached_property
    def _source(self) -> tuple[str, ...]:
        provenance = self._mask.provenance
        images = [f"{image.instance_uid} {image.frame or ''}" for image in self._images.slices]
        voxels = "" if provenance.is_reproducible else _voxels(self._mask)
        return (_digest(images), *provenance.identity, voxels)


def _voxels(mask: Mask) -> str:
    """SHA-256 of the voxels of a mask, independent of their order in memory."""
    found = hashlib.sha256(repr(mask.labels.shape).encode())
    for values in (mask.labels, *([mask.classes.values] if mask.classes is not None else [])):
        for k in range(values.shape[2]):  # a copy of the whole mask might not fit in memory
            found.update(values[:, :, k].astype("u1").tobytes(order="C"))
    if mask.classes is not None:
        found.update(mask.classes.scheme.model_dump_json().encode())
    return found.hexdigest()


def _digest(parts: Iterable[str]) -> str:
    """SHA-256 of several texts, each with its length, so that no two lists of texts give the same."""
    return hashlib.sha256("".join(f"{len(each)}:{each}" for each in parts).encode()).hexdigest()
