"""docs/reference/measurements.md and docs/reference/outputs.md name what there is."""

from dataclasses import fields
from pathlib import Path

from rma_mamba.pipeline.output_types import OUTPUT_TYPES, SELECTABLE
from rma_mamba.reporting import Quantities

DOCS = Path(__file__).parents[2] / "docs"


def test_every_measurement_is_explained() -> None:
    page = (DOCS / "reference" / "measurements.md").read_text()
    for field in fields(Quantities):
        assert field.name == "warnings" or f"`{field.name}`" in page, field.name


def test_every_output_type_is_documented_with_its_file() -> None:
    page = (DOCS / "reference" / "outputs.md").read_text()
    for name in SELECTABLE:
        assert f"`{name}`" in page, name
        assert OUTPUT_TYPES[name].file_name.removesuffix(".csv") in page, name
