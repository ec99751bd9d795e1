"""`configs/metadata.json` of a MONAI bundle: what the network is, and the tensors that it takes and returns.

The keys are those of MONAI's schema of 2024-07-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from rma_mamba.conventions import LIVER, software, software_version
from rma_mamba.exporting.weights_licence import is_from_bundled
from rma_mamba.models.weights import Checkpoint
from rma_mamba.slicing import SliceRecipe

SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
_CANVAS = ("32*n", "32*p")  # height and width; MONAI evaluates them with n = p = 1
_PAPER = "Zeng J. et al. A Reverse Mamba Attention Network for Pathological Liver Segmentation. arXiv:2502.18232."


def bundle_metadata(content: Checkpoint, recipe: SliceRecipe) -> dict[str, Any]:
    """The content of metadata.json.

    Args:
        content: The weights.
        recipe: Their slice recipe.
    """
    names = recipe.labels.names
    segmented = ", ".join(names)
    return {
        "schema": SCHEMA,
        "version": software_version(),
        "changelog": {software_version(): f"exported by {software()}"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {"rma-mamba": software_version()},
        "name": f"{segmented} segmentation in CT and MR with {content.model}",
        "task": f"Segmentation of {segmented} in abdominal CT and MR",
        "description": f"{content.model}, a network that segments {segmented} in axial slices, with the steps of "
        "rma-mamba from a scan to a mask on the grid of the scan. Research software, not a medical device.",
        "authors": "The rma-mamba developers" if is_from_bundled(content) else "See docs/README.md",
        "copyright": "See LICENSE",
        "data_source": data_source(content),
        "data_type": "DICOM, NIfTI, NRRD, MetaImage or images",
        "image_classes": _image_classes(recipe),
        "label_classes": _label_classes(recipe),
        "pred_classes": f"logits of {segmented}; the mask is uint8: {_label_classes(recipe)}",
        "intended_use": "Research only. Not for diagnosis.",
        "references": [_PAPER],
        "network_data_format": _network_data_format(recipe),
        "weights": {
            "sha256": content.sha256,
            "model": content.model,
            "provenance": content.provenance,
        },
    }


def data_source(content: Checkpoint) -> str:
    """The datasets that the weights were trained with, as far as they are known."""
    if is_from_bundled(content) and not content.provenance:
        return "CHAOS, BTCV, LiTS, Medical Segmentation Decathlon Task03; see docs/data_license.txt"
    names = list(dict.fromkeys(_datasets(content.provenance)))
    return ", ".join(names) or "unknown"


def _datasets(provenance: Mapping[str, Any]) -> list[str]:
    """Names of datasets in the provenance of weights, also of means and ensembles."""
    sources = provenance.get("recipe", {}).get("data", {}).get("sources", [])
    names = [str(each["dataset"]) for each in sources if "dataset" in each]
    for member in (*provenance.get("mean_of", []), *provenance.get("ensemble_of", [])):
        names += _datasets(member.get("provenance", {}))
    return names


def _network_data_format(recipe: SliceRecipe) -> dict[str, Any]:
    names = recipe.labels.names
    labels = {"0": "background"} | {str(number): name for number, name in enumerate(names, 1)}
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "CT, MR",
        "num_channels": recipe.channels,
        "spatial_shape": list(_CANVAS),
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": False,
        "channel_def": channel_names(recipe),
    }
    logits = {
        "type": "image",
        "format": "classes",
        "num_channels": len(names),
        "spatial_shape": list(_CANVAS),
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
        "channel_def": {str(number): f"logit of {name}" for number, name in enumerate(names)},
    }
    mask = {
        "type": "image",
        "format": "segmentation",
        "num_channels": 1,
        "spatial_shape": ["*", "*", "*"],
        "dtype": "uint8",
        "value_range": [0, len(names)],
        "is_patch_data": False,
        "channel_def": labels,
    }
    return {
        "inputs": {"image": image},
        "outputs": {"pred": logits},
        "post_processed_outputs": {"mask": mask},
    }


def channel_names(recipe: SliceRecipe) -> dict[str, str]:
    """Channel number to what the channel contains."""
    slices = ("slice below", "slice", "slice above") if recipe.neighbours else ("slice",) * 3
    prefixes = [f"{name}: " for name in recipe.channel_names] or [""]
    names = [prefix + each for prefix in prefixes for each in slices]
    names += ["1 if intensities are Hounsfield units, else 0"] * recipe.modality_plane
    return {str(number): name for number, name in enumerate(names)}


def _image_classes(recipe: SliceRecipe) -> str:
    low, high = recipe.ct_window_hu
    return (
        f"axial slices; CT: {low:g} to {high:g} HU as 0 to 1; MR: percentiles {recipe.mr_percentiles[0]:g} and "
        f"{recipe.mr_percentiles[1]:g} as 0 to 1"
    )


def _label_classes(recipe: SliceRecipe) -> str:
    if recipe.labels.names == (LIVER,):
        return "0 is background, 1 is liver"
    values = [f"{number} is {name}" for number, name in enumerate(recipe.labels.names, 1)]
    return ", ".join(["0 is background", *values])
