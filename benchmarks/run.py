"""How fast everything is here.

    python benchmarks/run.py                          # all of it, ten minutes on two cores
    python benchmarks/run.py operators networks       # some of: operators networks training volumes
    python benchmarks/run.py operators networks --device cuda
    python benchmarks/run.py --write docs/explanation/performance.md    # and docs/images/performance.png

A machine that does something else meanwhile spoils absolute times; ratios inside one table are of runs in turn.
Backends and peers are timed where they are installed, and only if they compute the equation.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from datetime import date
from pathlib import Path

import torch
from measure import limits, machine
from plot import draw

from rma_mamba.process import tune_process

START, END = "<!-- measured -->", "<!-- end -->"
PARTS = {
    "operators": "The scan",
    "networks": "Networks at 256 x 256",
    "training": "Training: loading beside learning",
    "volumes": "Scans",
}


def main() -> None:
    """Run the parts, print them, and write them if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="part", help="some of: " + ", ".join(PARTS))
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--write", type=Path, help="replace the measured part of a Markdown file")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(
            f"there is no part {', '.join(sorted(unknown))}; expected some of {', '.join(PARTS)}"
        )
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(
            "there is no GPU here; expected one for --device cuda. Leave the option out."
        )
    if options.write:
        _parts_around_the_marks(options.write)  # told before ten minutes of work, not after
    tune_process()
    rate = limits(options.device)
    command = "python benchmarks/run.py " + " ".join(options.parts or PARTS)
    text = [
        f"Measured on {date.today()} on {machine(options.device)}, by `{command}`"
        + (f" --device {options.device}" if options.device != "cpu" else "")
        + f". Matrix products: {rate.float32_flops / 1e9:.0f} GFLOP/s in float32, "
        f"{rate.bfloat16_flops / 1e9:.0f} in bfloat16; copies: {rate.copied_bytes / 1e9:.0f} GB/s.",
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
        if bars:
            draw(bars, _images_folder(options.write) / f"{options.write.stem}.png")


def _images_folder(page: Path) -> Path:
    """The nearest folder `images` at or above the page; beside the page where there is none."""
    found = [each / "images" for each in page.resolve().parents if (each / "images").is_dir()]
    return found[0] if found else page.parent / "images"


def _replace(path: Path, text: str) -> None:
    """Put the text between the two marks of a file."""
    before, after = _parts_around_the_marks(path)
    path.write_text(f"{before}{START}\n{text}\n{END}{after}")


def _parts_around_the_marks(path: Path) -> tuple[str, str]:
    found = path.read_text() if path.exists() else ""
    if not found.count(START) == found.count(END) == 1:
        raise SystemExit(
            f"{path} is no file with the marks {START} and {END}; expected one. Add them."
        )
    before, rest = found.split(START)
    return before, rest.split(END)[1]


if __name__ == "__main__":
    main()
