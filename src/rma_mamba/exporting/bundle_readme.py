"""`docs/README.md` of a MONAI bundle."""

from __future__ import annotations

from importlib.resources import files
from textwrap import dedent

from rma_mamba.conventions import software
from rma_mamba.exporting.bundle_metadata import channel_names, data_source
from rma_mamba.exporting.weights_licence import is_from_bundled
from rma_mamba.models.weights import Checkpoint
from rma_mamba.slicing import SliceRecipe


def readme(content: Checkpoint, recipe: SliceRecipe) -> str:
    """The text of docs/README.md: how to run the bundle, what the network is, and the model card of bundled weights."""
    names = recipe.labels.names
    usage = dedent(f"""\
        # {content.model}: segmentation of {", ".join(names)} in CT and MR

        **Research software, not a medical device. Not for diagnosis.**

        Written by {software()} (`rma-mamba export --monai-bundle`). The bundle needs the packages `rma-mamba`, with its
        extra `bundle`, and nothing else. It runs without a network connection.

        ## Segment scans

        ```bash
        python -m monai.bundle run --config_file BUNDLE/configs/inference.json \\
            --bundle_root BUNDLE --dataset_dir SCANS --output_dir RESULTS
        ```

        `SCANS` is a scan, or a folder of scans: DICOM, NIfTI, NRRD, MetaImage or images, CT or MR. For each scan,
        `RESULTS/<case>/liver.nii.gz` is the mask on the grid of the scan, the same as from `rma-mamba segment`, and
        `run.json` describes how it was made.

        | option | meaning |
        |---|---|
        | `--device cpu` | device; the first GPU, if there is one, else the CPU |
        | `--fast True` | skip multi-scale test-time augmentation |
        | `--outputs "['statistics', 'preview']"` | output types in addition to the mask |
        | `--datalist "[{{'image': 'PATH'}}]"` | the scans, in place of `--dataset_dir` |

        ## Network

        `network_def` maps slices [slice, {recipe.channels}, height, width] to logits
        [slice, {len(names)}, height, width]; height and width are multiples of 32. `models/model.pt` is its state_dict.
        `slice_recipe` in `configs/inference.json` is how a scan becomes slices. After fine-tuning, replace
        `model.pt` by its new state_dict.

        """)
    channels = "".join(
        f"- channel {number}: {name}\n" for number, name in channel_names(recipe).items()
    )
    values = "".join(f"- {number}: {name}\n" for number, name in enumerate(names, 1))
    data = f"## Training data\n\n{data_source(content)}\n"
    facts = f"{channels}\nValues of the mask:\n\n- 0: background\n{values}\n{data}"
    return usage + facts + _model_card(content)


def _model_card(content: Checkpoint) -> str:
    """The model card of the bundled weights; of weights trained from them it is the documentation of their start."""
    if not is_from_bundled(content):
        return ""
    text = (files("rma_mamba") / "weights" / "README.md").read_text("utf-8")
    start = (
        "" if not content.provenance else "These weights were trained from the bundled network:\n\n"
    )
    return f"\n---\n\n{start}{text}"
