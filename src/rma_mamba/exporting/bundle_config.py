"""`configs/inference.json` and `configs/logging.conf` of a MONAI bundle."""

from __future__ import annotations

from typing import Any

from rma_mamba.models.weights import Checkpoint
from rma_mamba.slicing import SliceRecipe

_RUN = "rma_mamba.exporting.bundle_run"
LOGGING = """[loggers]
keys=root

[handlers]
keys=console

[formatters]
keys=message

[logger_root]
level=INFO
handlers=console

[handler_console]
class=StreamHandler
level=INFO
formatter=message
args=(sys.stderr,)

[formatter_message]
format=%(asctime)s - %(levelname)s - %(message)s
"""


def inference_config(content: Checkpoint, recipe: SliceRecipe) -> dict[str, Any]:
    """The content of inference.json, which MONAI's command runs.

    It has the properties that MONAI requires of an inference workflow. The evaluator is that of this package, which
    needs no further package; `inferer` is for `network_def` alone, on slices that are prepared already.

    Args:
        content: The weights, with the whole configuration of the network.
        recipe: Their slice recipe.
    """
    return {
        "imports": [f"$import {_RUN} as bundle_run"],
        "bundle_root": "$bundle_run.bundle_root()",
        "checkpoint": "$@bundle_root + '/models/model.pt'",
        "dataset_dir": "$@bundle_root + '/scans'",
        "output_dir": "$@bundle_root + '/eval'",
        "outputs": [],
        "fast": False,
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": {
            "_target_": "rma_mamba.exporting.finest_logits.FinestLogits",
            "model": content.model,
            "settings": content.settings,
        },
        "channel_names": list(recipe.channel_names),
        "slice_recipe": recipe.model_dump(mode="json"),
        "datalist": "$bundle_run.find_scans(@dataset_dir, @output_dir, @channel_names)",
        "dataset": {"_target_": "monai.data.Dataset", "data": "@datalist"},
        "inferer": {"_target_": "monai.inferers.SimpleInferer"},
        "segmenter": {
            "_target_": f"{_RUN}.load_segmenter",
            "network": "@network_def",
            "checkpoint": "@checkpoint",
            "recipe": "@slice_recipe",
            "device": "@device",
            "fast": "@fast",
        },
        "evaluator": {
            "_target_": f"{_RUN}.ScanEvaluator",
            "segmenter": "@segmenter",
            "dataset": "@dataset",
            "output_dir": "@output_dir",
            "outputs": "@outputs",
            "checkpoint": "@checkpoint",
            "fast": "@fast",
        },
        "run": ["$@evaluator.run()"],
    }
