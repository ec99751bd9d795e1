"""Measure the speed of operators, networks, training and segmentation on this machine.

    python benchmarks/run.py                          # everything: ten minutes on two cores
    python benchmarks/run.py operators networks       # selected parts
    python benchmarks/run.py operators networks --device cuda
    python benchmarks/run.py --write docs/explanation/performance.md --plot docs/images/performance.png

Other load on the machine distorts absolute times; ratios within a table are more robust, because its runs alternate.
Backends and other implementations are timed if they are installed and agree with the reference.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from datetime import date
from pathlib import Path

import torch
from measure import machine, peak_rates
from plot import draw

from rma_mamba.process import tune_process

START, END = "<!-- measured -->", "<!-- end -->"
PARTS = {
    "operators": "The scan",
    "networks": "Networks at 256 x 256",
    "training": "Training: data loading and the training step",
    "volumes": "Scans",
}


def main() -> None:
    """Run the selected parts, print the results, and write them with --write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", metavar="part", help="any of " + ", ".join(PARTS) + " (default: all)"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--write", type=Path, help="Markdown file in which to replace the measured part"
    )
    parser.add_argument(
        "--plot", type=Path, help="PNG file for a chart of the times of the networks"
    )
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(
            f"unknown part {', '.join(sorted(unknown))}; expected any of {', '.join(PARTS)}"
        )
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(
            "no GPU was found; expected one for --device cuda. Omit the option to measure the CPU."
        )
    if options.write:
        _split_at_markers(options.write)  # fail before ten minutes of work, not after
    tune_process()
    rate = peak_rates(options.device)
    command = "python benchmarks/run.py " + " ".join(options.parts or PARTS)
    text = [
        f"Measured on {date.today()} on {machine(options.device)} with `{command}`"
        + (f" --device {options.device}" if options.device != "cpu" else "")
        + f". Matrix multiplication: {rate.float32_flops / 1e9:.0f} GFLOP/s in float32, "
        f"{rate.bfloat16_flops / 1e9:.0f} in bfloat16; copy: {rate.copied_bytes / 1e9:.0f} GB/s.",
    ]
    bars = {}
    for part in options.parts or PARTS:
        print(f"{part} ...", file=sys.stderr)
        found = importlib.import_module(part).run(options.device)
        text.append(f"## {PARTS[part]}\n\n{found.text}")
        bars.update(found.bars)
    print("\n\n".join(text))
    if options.write:
        _replace(options.write, "\n\n".join(text))
    if options.plot and bars:
        draw(bars, options.plot)


def _replace(path: Path, text: str) -> None:
    """Replace the text between the two markers of a file."""
    before, after = _split_at_markers(path)
    path.write_text(f"{before}{START}\n{text}\n{END}{after}")


def _split_at_markers(path: Path) -> tuple[str, str]:
    found = path.read_text() if path.exists() else ""
    if not found.count(START) == found.count(END) == 1:
        raise SystemExit(
            f"{path} does not contain the markers {START} and {END}; expected each once. Add them."
        )
    before, rest = found.split(START)
    return before, rest.split(END)[1]


if __name__ == "__main__":
    main()
