"""Fit the estimated Dice on validation patients and evaluate it on test patients.

    python scripts/fit_dice_prediction.py collect FOLDER cases.jsonl [SOURCE ...]
    python scripts/fit_dice_prediction.py fit cases.jsonl

FOLDER contains the public data listed in the model card. The fit uses the validation split; the test split is only
evaluated after the coefficients have been written. Because few unmodified scans fail, each volume is also segmented
with added noise, inverted contrast and a mirrored image.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize, stats

from rma_mamba.datasets.labelled_images import read_slice, read_volume
from rma_mamba.datasets.source_files import SourceFiles
from rma_mamba.datasets.splits import Split
from rma_mamba.files import replace_file
from rma_mamba.inference import Segmenter
from rma_mamba.inference import uncertainty as predicting
from rma_mamba.metrics import dice
from rma_mamba.training import load_recipe
from rma_mamba.volume import Geometry, Modality, Volume

SPLITS: tuple[Split, ...] = ("val", "test")
NAMES = ("expected", "tta", "maps", "kept")

MAX_SLICES = 6  # per patient, for sources of single slices
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)


def collect(root: Path, out: Path, sources: list[str]) -> None:
    """Segment the patients of both splits and write one JSON line per scan."""
    data = load_recipe("default", [f"data.root={root}"]).data
    files = SourceFiles(data)
    segmenter = Segmenter.load(device="cpu")
    with out.open("w") as file:
        for source in (each for each in data.sources if not sources or each.name in sources):
            for split in SPLITS:
                for patient, images in files.images(source, split).items():
                    facts = {"source": source.name, "split": split, "patient": patient}
                    whole = source.kind == "volumes"
                    modality = None if whole or source.window_hu else "MR"
                    for path in images[:: -(-len(images) // MAX_SLICES)]:
                        read = read_volume if whole else read_slice
                        volume, labels = read(files, source, path)
                        for line in _lines(segmenter, volume, labels, whole, modality):
                            file.write(json.dumps({**facts, **line}) + "\n")
                            file.flush()


def _lines(
    segmenter: Segmenter, volume: Volume, labels: Any, whole: bool, modality: Modality | None
) -> Iterator[dict[str, Any]]:
    if not whole and not labels.any():
        return
    for name, degraded, truth in _degraded(volume, labels, whole):
        started = time.monotonic()
        found = segmenter(degraded, modality=modality)
        yield {
            "as": name,
            "dice": dice(truth, found.mask.labels),
            "agreements": dict(found.uncertainty.agreements),
            "factor": found.evidence.dice_factor,
            "light": found.quality.light,
            "flags": [flag.code for flag in found.quality.flags],
            "seconds": round(time.monotonic() - started, 1),
        }


def _degraded(volume: Volume, labels: Any, whole: bool) -> Iterator[tuple[str, Volume, Any]]:
    """The scan and degraded versions of it; thin slices are subsampled first to save time."""
    yield "unmodified", volume, labels
    if not whole:
        return
    geometry = volume.geometry
    axis = geometry.canonical.permutation[0]
    if geometry.spacing_mm[axis] < 6:
        volume, labels = _subsampled(volume, labels, axis, 2)
    values = volume.values.astype(np.float32)
    low, high = np.percentile(values, (1, 99))
    spread, random = high - low, np.random.default_rng(0)
    noise = random.normal(0, 0.25 * spread, values.shape).astype(np.float32)
    yield "noise", replace(volume, values=values + noise), labels
    yield "inverted", replace(volume, values=low + high - values), labels
    flipped = volume.geometry.canonical.permutation[2]
    yield "mirrored", replace(volume, values=np.flip(values, flipped)), np.flip(labels, flipped)


def _subsampled(volume: Volume, labels: Any, axis: int, step: int) -> tuple[Volume, Any]:
    chosen = tuple(slice(None, None, step if each == axis else 1) for each in range(3))
    affine = volume.geometry.affine.copy()
    affine[:3, axis] *= step
    values = volume.values[chosen]
    return replace(volume, values=values, geometry=Geometry(values.shape, affine)), labels[chosen]


def fit(collected: Path) -> None:
    """Fit on the validation split, write the coefficients of the package, and print results on both splits."""
    scored = [json.loads(line) for line in collected.read_text().splitlines()]
    val = [line for line in scored if line["split"] == "val"]
    content = {
        "weights_sha256": Segmenter.load(device="cpu").weights_sha256,
        "provenance": _provenance(val),
        "line": _fit_logistic(val),
    }
    path = Path(predicting.__file__).with_name(predicting._CALIBRATION)
    replace_file(path, (json.dumps(content, indent=2) + "\n").encode(), "calibration")
    predicting.calibration.cache_clear()
    print(content["line"])
    whole = {line["source"] for line in scored if line["as"] != "unmodified"}
    for split in SPLITS:
        _print_prediction([line for line in scored if line["split"] == split], whole)
    _print_degraded([line for line in scored if line["source"] in whole])


def _provenance(val: list[dict[str, Any]]) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for line in val:
        key = f"{line['source']}, {line['as']}"
        counts[key] = counts.get(key, 0) + 1
    return {
        "made_by": "scripts/fit_dice_prediction.py",
        "fitted_to": "validation patients of the bundled network, with equal weight for each source",
        "cases": counts,
    }


def _fit_logistic(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """A logistic model, fitted by weighted non-negative least squares to the logit of Dice."""
    groups = [(case["source"], case["as"]) for case in cases]
    weight = np.sqrt([1 / groups.count(group) for group in groups])
    rows = np.array(
        [[predicting.logit(case["agreements"][name]) for name in NAMES] for case in cases]
    )
    # The evidence in the scan has lowered the estimate already.
    got = [case["dice"] / case["factor"] for case in cases]
    aim = np.array([predicting.logit(min(max(dice, 0.02), 0.98)) for dice in got])
    # The intercept may have either sign; the slopes are non-negative.
    design = np.column_stack([np.ones(len(rows)), -np.ones(len(rows)), rows])
    solution, _ = optimize.nnls(design * weight[:, None], aim * weight)
    slopes = {name: round(float(value), 4) for name, value in zip(NAMES, solution[2:], strict=True)}
    return {
        "intercept": round(float(solution[0] - solution[1]), 4),
        "slopes": {name: value for name, value in slopes.items() if value},
    }


def _estimate(case: dict[str, Any]) -> float:
    return predicting.estimate_dice(case["agreements"]) * float(case["factor"])


def _print_prediction(cases: list[dict[str, Any]], whole: set[str]) -> None:
    volumes = [case for case in cases if case["source"] in whole]
    groups = {
        "volumes, unmodified": [case for case in volumes if case["as"] == "unmodified"],
        "volumes, degraded ones included": volumes,
        "single slices": [case for case in cases if case["source"] not in whole],
    }
    risks = " | ".join(f"risk at {coverage:.0%}" for coverage in COVERAGES)
    print(f"\n| {cases[0]['split']} | cases | mean error | rank correlation | {risks} |")
    print("|" + "---|" * (4 + len(COVERAGES)))
    for group, members in groups.items():
        got = np.array([case["dice"] for case in members])
        estimated = np.array([_estimate(case) for case in members])
        order = np.argsort(-estimated)
        kept = [order[: max(1, round(coverage * len(got)))] for coverage in COVERAGES]
        risks = " | ".join(f"{1 - got[each].mean():.3f}" for each in kept)
        rank = stats.spearmanr(estimated, got).statistic
        error = np.abs(estimated - got).mean()
        print(f"| {group} | {len(got)} | {error:.3f} | {rank:.2f} | {risks} |")


def _print_degraded(scored: list[dict[str, Any]]) -> None:
    print("\n| degradation | cases | Dice | estimated Dice | estimated below 0.85 | other flags |")
    print("|" + "---|" * 6)
    for name in dict.fromkeys(case["as"] for case in scored):
        cases = [case for case in scored if case["as"] == name]
        flags: dict[str, int] = {}
        for code in (code for case in cases for code in case["flags"]):
            flags[code] = flags.get(code, 0) + 1
        listed = ", ".join(f"{code} {count}" for code, count in flags.items()) or "none"
        got = [case["dice"] for case in cases]
        estimated = [_estimate(case) for case in cases]
        low = sum(dice < 0.85 for dice in estimated)
        print(
            f"| {name} | {len(cases)} | {min(got):.2f} to {max(got):.2f} | "
            f"{min(estimated):.2f} to {max(estimated):.2f} | {low} | {listed} |"
        )


def main() -> None:
    """Parse the command line and run a command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    segment = commands.add_parser("collect", help="segment the patients and write their scores")
    segment.add_argument("folder", type=Path, help="folder of the public data")
    segment.add_argument("cases", type=Path, help="JSON Lines file to write")
    segment.add_argument("sources", nargs="*", help="sources of the recipe (default: all)")
    fitting = commands.add_parser("fit", help="fit and write the coefficients of the package")
    fitting.add_argument("cases", type=Path, help="JSON Lines file written by collect")
    options = parser.parse_args()
    if options.command == "collect":
        collect(options.folder, options.cases, options.sources)
    else:
        fit(options.cases)


if __name__ == "__main__":
    main()
