"""One page on one case: slices, surface, measurements, quality, and what ran. As HTML, and as PDF.

The HTML file is whole by itself: no network, no other file. Neither names the patient, the case, a path or a date.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.files import replace_file
from rma_mamba.reporting.measure import measure
from rma_mamba.reporting.mesh import small_mesh
from rma_mamba.reporting.preview import render_preview
from rma_mamba.reporting.quality import Flag, Light, Quality
from rma_mamba.volume import Mask, Volume

_UNITS = {
    "ml": "mL",
    "mm": "mm",
    "mm2": "mm²",
    "cm2": "cm²",
    "hu": "HU",
    "percent": "%",
    "bits": "bits",
    "au": "a. u.",
}
_WORDS = {
    "sha256": "SHA-256",
    "sd": "SD",
    "vauthey": "Vauthey",
    "urata": "Urata",
    "ct": "CT",
    "mr": "MR",
}
_VERDICTS: dict[Light, str] = {
    "green": "Nothing was found that speaks against the mask. Still look at it.",
    "yellow": "Look closely before the numbers are used.",
    "red": "Do not use the numbers: the mask or the scan's header is not to be trusted.",
}
# What the page says elsewhere.
_SHOWN_ELSEWHERE = ("quality", "warnings", "modality", "software", "model", "flags")
_NOT_OF_THE_RUN = ("rma_mamba", "modality", "quality", "warnings", "agreements", "files")

Rows = list[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Report:
    """What a page shows.

    Args:
        volume: The scan.
        mask: Its mask.
        quality: Flags and light.
        statistics: Measurements, by names that end in their unit; any that are there are listed.
        run: What ran, as run.json has it.
    """

    volume: Volume
    mask: Mask
    quality: Quality
    statistics: Mapping[str, Any]
    run: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The volume."""
        return f"Liver {self.mask.volume_ml:,.0f} mL" if self.mask.volume_ml else "No liver found"

    @property
    def modality(self) -> str:
        """CT or MR."""
        return self.volume.modality or ""

    @property
    def software(self) -> str:
        """Name and version."""
        return f"rma-mamba {self.run.get('rma_mamba', '')}".strip()

    @property
    def light(self) -> Light:
        """Green, yellow or red."""
        return self.quality.light

    @property
    def verdict(self) -> str:
        """What the light means, and the Dice that is to be expected."""
        dice = self.quality.predicted_dice
        told = "" if dice is None else f" Masks like this one have a Dice of about {dice:.2f}."
        return _VERDICTS[self.light] + told

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What speaks against the mask."""
        return self.quality.flags

    @property
    def warnings(self) -> list[str]:
        """What the reader says; what the mask shows is said by flags."""
        said = {flag.message for flag in self.flags} | set(measure(self.mask).warnings)
        return [text for text in self.statistics.get("warnings", ()) if text not in said]

    @cached_property
    def measurements(self) -> Rows:
        """All numbers, with their units."""
        shown = {
            key: value for key, value in self.statistics.items() if key not in _SHOWN_ELSEWHERE
        }
        return list(_rows(shown))

    @cached_property
    def provenance(self) -> Rows:
        """What ran."""
        shown = {key: value for key, value in self.run.items() if key not in _NOT_OF_THE_RUN}
        if versions := shown.get("versions"):
            shown["versions"] = [f"{name} {number}" for name, number in versions.items()]
        return list(_rows(shown))


def write_html(report: Report, path: Path) -> None:
    """Write the page as HTML; it appears complete or not at all.

    Raises:
        GridError: The mask is not on the scan's grid.
        ScanError: The file cannot be written.
    """
    replace_file(path, render_html(report).encode(), "report")


def render_html(report: Report) -> str:
    """The page; everything that comes from outside is escaped."""
    import jinja2
    from markupsafe import Markup

    folder = files("rma_mamba.reporting") / "templates"
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((folder / "report.html").read_text(encoding="utf-8"))
    found = small_mesh(report.mask)
    return template.render(
        report=report,
        style=Markup((folder / "report.css").read_text(encoding="utf-8")),
        script=Markup((folder / "report.js").read_text(encoding="utf-8")),
        montage=_png(report),
        mesh={
            "points": _base64(np.round(found.points_mm * 10).astype("<i2")),
            "triangles": _base64(found.triangles.astype("<u4")),
        },
    )


def write_pdf(report: Report, path: Path) -> None:
    """Write the page as PDF, without the surface; equal cases give equal bytes. Errors as of `write_html`."""
    from rma_mamba.reporting.pdf import render_pdf

    replace_file(path, render_pdf(report), "report")


def _rows(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{above}, {_name(key, inside=True)}" if above else _name(key)
        if isinstance(value, Mapping):
            yield from _rows(value, name)
        elif value is not None:
            yield name, _text(value)


def _name(key: str, *, inside: bool = False) -> str:
    """ "volume_ml" as "Volume (mL)"."""
    words = str(key).split("_")
    unit = _UNITS.get(words[-1]) if len(words) > 1 else None
    name = " ".join(_WORDS.get(word, word) for word in (words[:-1] if unit else words))
    first = name[:1] if inside else name[:1].upper()
    return f"{first}{name[1:]}" + (f" ({unit})" if unit else "")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        digits = 1 if abs(value) >= 10 else 3
        return f"{value:,.{digits}f}".rstrip("0").rstrip(".")
    if isinstance(value, list | tuple):
        return " · ".join(_text(each) for each in value) if value else "none"
    return str(value)


def _png(report: Report) -> str:
    content = io.BytesIO()
    render_preview(report.volume, report.mask).save(content, format="PNG")
    return base64.b64encode(content.getvalue()).decode()


def _base64(numbers: npt.NDArray[Any]) -> str:
    return base64.b64encode(numbers.tobytes()).decode()
