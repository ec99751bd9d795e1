"""docs/measurements.md and docs/outputs.md name what there is."""

import re
from dataclasses import fields
from pathlib import Path

from rma_mamba.cli.kinds import NAMES
from rma_mamba.reporting import Quantities

DOCS = Path(__file__).parents[2] / "docs"


def test_every_measurement_is_explained() -> None:
    page = (DOCS / "measurements.md").read_text()
    for field in fields(Quantities):
        assert field.name == "warnings" or f"`{field.name}`" in page, field.name


def test_every_kind_of_output_is_named_with_its_file() -> None:
    page = (DOCS / "outputs.md").read_text()
    for kind in NAMES:
        assert f"`{kind}`" in page, kind
    for name, _ in NAMES.values():
        assert name.removesuffix(".csv") in page, name


def test_links_within_the_pages_lead_somewhere() -> None:
    for name in ("measurements.md", "outputs.md"):
        page = (DOCS / name).read_text()
        for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page):
            if target.startswith("http"):
                continue
            other = DOCS / (target or name)
            assert other.exists(), target
            headings = re.findall(r"^#+ (.*)$", other.read_text(), re.M) if anchor else []
            slugs = [
                re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in headings
            ]
            assert not anchor or anchor in slugs, anchor
