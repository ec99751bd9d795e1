"""A trained network with its slice recipe and device, which converts scans to masks."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pydantic

from rma_mamba.conventions import Postprocessing
from rma_mamba.deprecation import warn_renamed, with_renamed_keys
from rma_mamba.inference.class_decoding import clear_removed_liver
from rma_mamba.inference.dark_slices import remove_dark_ends
from rma_mamba.inference.implausible_hu import ImplausibleVoxels, remove_implausible
from rma_mamba.inference.inputs import Scan, as_volume
from rma_mamba.inference.orientation import check_anatomy
from rma_mamba.inference.postprocess import remove_islands
from rma_mamba.inference.runtimes import Runtime, choose_runtime
from rma_mamba.inference.segmentation import Segmentation
from rma_mamba.inference.streaming import Progress, SliceWriter, stream
from rma_mamba.inference.tta import MAPS, Images, Logits, TtaLogits, tta_logits
from rma_mamba.inference.uncertainty import estimate_uncertainty
from rma_mamba.inference.weights_choice import channel_dropout_of, recipe_of
from rma_mamba.mask_provenance import MaskProvenance
from rma_mamba.models.stored_weights import EMBEDDED
from rma_mamba.reporting import assess, measure
from rma_mamba.reporting.case_notes import CaseNotes
from rma_mamba.reporting.mask_examination import examine_mask
from rma_mamba.setting_errors import as_config_error
from rma_mamba.shapes import Labels
from rma_mamba.slicing import CalibratedVolume, SliceRecipe, SliceStack, calibrated
from rma_mamba.slicing.aligned_scans import check_channels
from rma_mamba.slicing.recipe import RENAMED_FIELDS
from rma_mamba.volume import ClassMap, Mask, Modality

if TYPE_CHECKING:
    from torch import nn

    from rma_mamba.portable.onnx_session import OnnxNetwork

Precision = Literal["float32", "bfloat16"]

ISLAND_SHARE = 0.1  # of the largest component; smaller components are not liver


class Segmenter:
    """A trained network that segments any number of scans.

    Args:
        model: Maps images [slice, channel, height, width] to a list of logits, highest resolution last.
        recipe: How scans are converted to network input.
        device: auto, cpu, cuda or cuda:N.
        batch_size: Slices per batch; None: chosen to keep memory use modest.
        island_share: Connected components smaller than this share of the largest one are removed, as are those
            far from it; 0 keeps all.
        fast: Use the first TTA scale only: faster, slightly less accurate.
        precision: Precision of matrix multiplications. bfloat16 is faster on hardware that supports it and changes
            about one liver voxel in a thousand.
        weights_sha256: SHA-256 of the weights' tensors if they come from a file.
        postprocessing: "standard", or "none": the raw threshold of the probability, from which nothing is removed.
        channel_dropout: Probability with which each scan of a case was left out in training, for the warning about a
            missing one; None: not known.

    Example:
        >>> segmenter = Segmenter.load(fast=True)
        >>> volumes_ml = [segmenter(path).volume_ml for path in ("one.nii.gz", "two.nii.gz")]
    """

    def __init__(
        self,
        model: nn.Module | OnnxNetwork,
        recipe: SliceRecipe,
        *,
        device: str = "cpu",
        batch_size: int | None = None,
        island_share: float = ISLAND_SHARE,
        fast: bool = False,
        precision: Precision = "float32",
        weights_sha256: str | None = None,
        postprocessing: Postprocessing = "standard",
        channel_dropout: float | None = None,
    ) -> None:
        self.model: Any = model  # its type depends on the runtime
        self.device: Any = getattr(model, "device", device)
        self.runtime: Literal["onnx", "torch"] = (
            "onnx" if getattr(model, "runtime", "") == "onnx" else "torch"
        )
        self.dtype: Any = "onnx.float32"
        if self.runtime == "torch":
            from rma_mamba.inference.torch_network import prepared

            self.model, self.device, self.dtype = prepared(self.model, device, precision)
        self.weights_sha256 = weights_sha256
        scales = recipe.tta_scales[: 1 if fast else None]
        self.recipe = recipe.model_copy(update={"tta_scales": scales})
        self.batch_size = batch_size
        self.island_share = island_share
        self.postprocessing = postprocessing
        self.channel_dropout = channel_dropout

    @classmethod
    def load(
        cls,
        model: str | Path = EMBEDDED,
        *,
        device: str = "auto",
        batch_size: int | None = None,
        fast: bool = False,
        precision: Precision = "float32",
        postprocessing: Postprocessing = "standard",
        runtime: Runtime = "auto",
    ) -> Segmenter:
        """Load a segmenter with trained weights.

        Args:
            model: "default", the bundled network, a weights file written by `rma-mamba train`, or an ONNX file of
                `rma-mamba export`.
            device: auto, cpu, cuda, cuda:N or mps.
            batch_size: Slices per batch; None: chosen for each scan.
            fast: Skip multi-scale test-time augmentation: faster, slightly less accurate.
            precision: float32, or bfloat16 for speed.
            postprocessing: "standard", or "none": the raw threshold of the probability.
            runtime: torch; onnx (ONNX Runtime, without torch); or auto: torch if it is installed.

        Raises:
            WeightsError: The weights are missing, corrupt or do not fit the network.
            BackendError: The device or runtime cannot be used.
            ConfigError: The runtime does not support the network or the precision.

        Example:
            >>> segmenter = Segmenter.load(device="cpu")
            >>> result = segmenter("scan.nii.gz")
        """
        network: Any
        if choose_runtime(runtime, model, precision) == "onnx":
            from rma_mamba.inference.onnx_network import load_onnx_network

            network, checkpoint = load_onnx_network(model, device)
        else:
            from rma_mamba.inference.torch_network import load_network

            network, checkpoint = load_network(model, device)
        recipe = recipe_of(checkpoint)
        return cls(
            network,
            recipe,
            device=device,
            batch_size=batch_size,
            fast=fast,
            precision=precision,
            weights_sha256=checkpoint.sha256,
            postprocessing=postprocessing,
            channel_dropout=channel_dropout_of(checkpoint.provenance),
        )

    def with_recipe(self, **changes: Any) -> Segmenter:
        """A segmenter with the same network and a changed slice recipe; this one is not modified.

        Args:
            changes: Fields of `SliceRecipe` and their new values, such as neighbours=False.

        Raises:
            ConfigError: There is no such field, or a value is invalid.
        """
        try:
            changes = with_renamed_keys(changes, RENAMED_FIELDS)
            recipe = SliceRecipe.model_validate({**self.recipe.model_dump(), **changes})
        except pydantic.ValidationError as error:
            raise as_config_error(error, SliceRecipe, "the slice recipe") from None
        changed = copy(self)
        changed.recipe = recipe
        return changed

    def __call__(
        self,
        scan: Scan,
        *,
        modality: Modality | None = None,
        progress: Progress | None = None,
        keep_probabilities: bool = False,
        square_side: int | None = None,
    ) -> Segmentation:
        """Segment the liver.

        Args:
            scan: A Volume, a path, a nibabel or SimpleITK image, or an array [i, j, k] with its affine. For a network
                with several channels, a dictionary of them by name: {"T1": "t1.nii.gz", "T2": "t2.nii.gz"}. A missing
                one is black for the network. The mask is on the grid of the first.
            modality: CT or MR; None: read from the header, else detected from the intensities.
            progress: Called with (slices done, total number of slices).
            keep_probabilities: Also return the probabilities, which take four bytes per voxel.
            square_side: Also return the raw threshold of each slice at this height and width; see
                `Segmentation.squares`.

        Raises:
            ScanError: The scan cannot be read, or is not a 3-D volume.
            GridError: The geometry is invalid, the field of view is implausibly large, or channels are not aligned.
            ConfigError: The modality is neither CT nor MR, or the network does not have these channels.
        """
        volume = calibrated(as_volume(scan), modality)
        missing = check_channels(volume, self.recipe, self.channel_dropout)
        labels = np.zeros(volume.geometry.shape, np.uint8)
        # in the memory order of files, so that writing needs no copy
        probabilities = (
            np.zeros(labels.shape, np.float32, order="F") if keep_probabilities else None
        )
        stack = SliceStack(volume, self.recipe)
        scheme = self.recipe.labels
        values = None if scheme.is_liver_only else np.zeros_like(labels)
        squares = None
        if square_side is not None:
            squares = np.zeros((len(stack), square_side, square_side), bool)
        writer = SliceWriter(stack, labels, probabilities, squares, values)
        agreement = stream(writer, self.tta_logits, self.batch_size, progress)
        found = int(np.count_nonzero(labels))
        implausible = self._postprocess(labels, volume)
        classes = None
        if values is not None:
            clear_removed_liver(values, labels, scheme)
            classes = ClassMap(values, scheme)
        mask = Mask(labels, volume.geometry, volume.header, volume.source_images, classes)
        kept = int(np.count_nonzero(labels))
        evidence = examine_mask(volume, mask, stack.scale.range)
        uncertainty = estimate_uncertainty(
            agreement.shares, found, kept, self.weights_sha256, evidence.dice_factor
        )
        quality = assess(
            volume,
            mask,
            stack.scale.range,
            estimated_dice=uncertainty.estimated_dice,
            anatomy=check_anatomy(stack),
            implausible_share=sum(implausible) / max(1, found),
            evidence=evidence,
        )
        warnings = tuple(dict.fromkeys((*volume.warnings, *missing, *measure(mask).warnings)))
        removed_ml = implausible.removed * volume.geometry.voxel_volume_ml
        notes = CaseNotes(volume.modality, volume.modality_source, quality, warnings, removed_ml)
        provenance = self._provenance(volume.modality, notes)
        return Segmentation(
            replace(mask, provenance=provenance),
            volume,
            warnings,
            probabilities,
            quality,
            uncertainty,
            removed_ml,
            evidence,
            squares,
        )

    def _provenance(self, modality: Modality, notes: CaseNotes) -> MaskProvenance:
        settings = {
            "modality": modality,
            "precision": str(self.dtype),
            "island_share": self.island_share,
            "postprocessing": self.postprocessing,
            "recipe": self.recipe.model_dump(mode="json"),
        }
        return MaskProvenance(
            weights_sha256=self.weights_sha256, settings=settings, remarks=notes.remarks
        )

    def _postprocess(self, labels: Labels, volume: CalibratedVolume) -> ImplausibleVoxels:
        """Remove what cannot be liver, in place, and return the numbers of voxels with implausible intensities."""
        if self.postprocessing == "none":
            return ImplausibleVoxels(0, 0)
        implausible = remove_implausible(labels, volume)
        lung = remove_dark_ends(labels, volume)
        implausible = implausible._replace(removed=implausible.removed + lung)
        remove_islands(labels, self.island_share, volume.geometry.spacing_mm)
        return implausible

    def logits(self, images: Images) -> Logits:
        """The map of the highest resolution, float32 [slice, class, height, width], for images on the canvas."""
        return self.maps(images, 1)[0]

    def maps(self, images: Images, count: int = MAPS) -> list[Logits]:
        """The network's last `count` maps, or as many as it has, highest resolution last; each as in `logits`."""
        if self.runtime == "onnx":
            found: list[Logits] = self.model.maps(images, count)
            return found
        from rma_mamba.inference.torch_network import run

        return run(self.model, images, count, self.device, self.dtype)

    def tta_logits(self, images: list[Images]) -> TtaLogits:
        """Logits of the same slices at each TTA scale; see `rma_mamba.inference.tta`."""
        contiguous = self.recipe.through_plane_mm is not None
        return tta_logits(self.maps, images, contiguous=contiguous)

    def looks(self, images: list[Images]) -> TtaLogits:
        """Deprecated name of `tta_logits`."""
        warn_renamed("Segmenter.looks", "Segmenter.tta_logits")
        return self.tta_logits(images)
