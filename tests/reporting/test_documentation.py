"""docs/reference/measurements.md and docs/reference/outputs.md name what there is."""

from dataclasses import fields
from pathlib import Path

from rma_mamba.pipeline.output_types import NAMES
from rma_mamba.reporting import Quantities

DOCS = Path(__file__).parents[2] / "docs"


def test_every_measurement_is_explained() -> None:
    page = (DOCS / "reference" / "measurements.md").read_text()
    for field in fields(Quantities):
        assert field.name == "warnings" or f"`{field.name}`" in page, field.name


def test_every_kind_of_output_is_named_with_its_file() -> None:
    page = (DOCS / "reference" / "outputs.md").read_text()
    for kind in NAMES:
        assert f"`{kind}`" in page, kind
    for name, _ in NAMES.values():
        assert name.removesuffix(".csv") in page, name
