"""A static web page that segments scans in the browser: the network, ONNX Runtime for the web, and NiiVue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.exporting.onnx_export import export_onnx
from rma_mamba.files import replace_file
from rma_mamba.inference.postprocess import MAX_DISTANCE_MM
from rma_mamba.inference.segmenter import ISLAND_SHARE
from rma_mamba.inference.weights_choice import recipe_of, trained_weights
from rma_mamba.models.stored_weights import read_arrays
from rma_mamba.slicing import SliceRecipe

DEFAULT_RUNTIME: Final = Path("node_modules/onnxruntime-web/dist")

_PAGE: Final = Path(__file__).with_name("web")
_VIEWER: Final = Path(__file__).parents[1] / "server" / "static"  # what the page shares with it
_SHARED: Final = ("app/nifti.js", "niivue/niivue.umd.js", "niivue/LICENSE.txt", "icon.svg")
_RUNTIME: Final = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)


def write_web_page(folder: Path, runtime: Path, weights: str | Path = "default") -> None:
    """Write the page with a network, which is checked as `export_onnx` does.

    Args:
        folder: Where the page is written; serve it on localhost.
        runtime: The folder `dist` of the npm package onnxruntime-web.
        weights: "default", the bundled network, or a weights file.

    Raises:
        ConfigError: ONNX Runtime for the web is not there, or the page does not support the network.
        WeightsError: The weights are missing, corrupt, or do not segment.
        BackendError: onnx or ONNX Runtime is not installed.
        ScanError: A file cannot be written.
    """
    missing = [name for name in _RUNTIME if not (runtime / name).is_file()]
    if missing:
        raise ConfigError(
            f"there is no {missing[0]} in the folder of the web runtime; expected the files of onnxruntime-web. "
            "Run `npm install onnxruntime-web`, or name its folder `dist` with --runtime-files."
        )
    recipe = web_recipe(recipe_of(trained_weights(weights, read_arrays)))
    try:
        (folder / "runtime").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScanError(
            f"the folder of the page cannot be made ({error.strerror}); expected a writable place. "
            "Name another folder."
        ) from None
    export_onnx(weights, folder / "model.onnx", precision="fp16")
    replace_file(folder / "recipe.json", json.dumps(recipe, indent=1).encode(), "web page")
    sources = [*_PAGE.iterdir(), *(_VIEWER / name for name in _SHARED)]
    for source in sources:
        name = "niivue-licence.txt" if source.name == "LICENSE.txt" else source.name
        replace_file(folder / name, source.read_bytes(), "web page")
    for name in _RUNTIME:
        replace_file(folder / "runtime" / name, (runtime / name).read_bytes(), "web page")


def web_recipe(recipe: SliceRecipe) -> dict[str, Any]:
    """What the page has to know of a network: its slice recipe, and which components are removed.

    Raises:
        ConfigError: The network has several scans of a patient as input, several classes, or stored grey levels.
    """
    if recipe.channel_names or not recipe.labels.is_liver_only or recipe.grey_levels != "scan":
        raise ConfigError(
            "the network has several channels or classes, or expects 8-bit pictures; the web page expects one that "
            "segments the liver in a single scan. Choose other weights."
        )
    content = recipe.model_dump(mode="json", exclude={"labels", "channel_names", "grey_levels"})
    return {**content, "island_share": ISLAND_SHARE, "island_distance_mm": MAX_DISTANCE_MM}
