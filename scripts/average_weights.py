"""Average the weights of several training runs, or export the last checkpoint of one run, as a weights file.

    python scripts/average_weights.py runs/4/weights.safetensors runs/5/weights.safetensors -o mean.safetensors
    python scripts/average_weights.py runs/5/checkpoints/last.ckpt -o last.safetensors

Every input is a weights file written by `rma-mamba train` or a checkpoint in the folder of such a run. All inputs must
have the same network and slice recipe, which are written to the output.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from rma_mamba.errors import RmaMambaError, WeightsError
from rma_mamba.files import replace_file
from rma_mamba.models import create_model, load_weights, model_settings
from rma_mamba.models.weights import Checkpoint, encode_checkpoint, read_checkpoint
from rma_mamba.training import WEIGHTS_FILE

DTYPES = {"float16": torch.float16, "float32": torch.float32}


def average_weights(paths: list[Path], out: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write the mean of the weights in `paths` to `out`, with the whole configuration of the network.

    Raises:
        WeightsError: A file is missing or corrupt, or the files belong to different networks or slice recipes.
    """
    inputs = [read_input(path) for path in paths]
    first = inputs[0]
    settings = model_settings(first.model, **first.settings)
    for path, each in zip(paths, inputs, strict=True):
        same_network = each.model == first.model and (
            model_settings(each.model, **each.settings) == settings
        )
        if not same_network or each.recipe != first.recipe:
            differs = "slice recipe" if same_network else "network"
            raise WeightsError(
                f"{path.name} has a different {differs} from {paths[0].name}; expected the same for all inputs. "
                "Average weights of training runs with the same model and data.recipe settings."
            )
    state = mean_state([each.state for each in inputs])
    content = encode_checkpoint(
        state, model=first.model, settings=settings, recipe=first.recipe, dtype=dtype
    )
    replace_file(out, content, "weights file")
    load_weights(create_model(first.model, **settings), out)


def read_input(path: Path) -> Checkpoint:
    """Read a weights file, or a checkpoint, whose configuration is in the weights file of the same run."""
    if path.suffix != ".ckpt":
        return read_checkpoint(path)
    from rma_mamba.training.checkpoints import model_state  # needs the training extra

    exported = read_checkpoint(path.parents[1] / WEIGHTS_FILE)
    return Checkpoint(
        exported.model, exported.settings, exported.recipe, model_state(path), exported.sha256
    )


def mean_state(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Mean of each floating-point tensor, computed in float64; integer buffers are those of the first state."""
    mean = {}
    for name, tensor in states[0].items():
        if tensor.is_floating_point():
            tensor = torch.stack([state[name].double() for state in states]).mean(0).float()
        mean[name] = tensor
    return mean


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and write the output."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("inputs", nargs="+", type=Path, help="weights files or checkpoints")
    parser.add_argument("-o", "--out", required=True, type=Path, help="weights file to write")
    parser.add_argument(
        "--dtype", choices=DTYPES, default="float16", help="dtype of the stored tensors"
    )
    options = parser.parse_args(arguments)
    try:
        average_weights(options.inputs, options.out, DTYPES[options.dtype])
    except RmaMambaError as error:
        raise SystemExit(f"error: {error}") from None
    print(f"Wrote the mean of {len(options.inputs)} inputs to {options.out}")


if __name__ == "__main__":
    main()
