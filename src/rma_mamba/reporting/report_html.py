"""A report as one self-contained HTML file, without links to other files or to the network."""

from __future__ import annotations

import base64
import io
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rma_mamba.conventions import LIVER_RGB
from rma_mamba.files import replace_file
from rma_mamba.reporting.display_mesh import display_mesh
from rma_mamba.reporting.preview import render_slices
from rma_mamba.reporting.report import DISCLAIMER, Report

_ZOOM = 2.4  # of the slices, relative to the preview: 600 pixels


def write_html(report: Report, path: Path) -> None:
    """Write the report as HTML, atomically.

    Raises:
        GridError: The mask is not on the scan's grid.
        ScanError: The file cannot be written.
    """
    replace_file(path, render_html(report).encode(), "report")


def render_html(report: Report) -> str:
    """Render the report as HTML; all values are escaped."""
    import jinja2
    from markupsafe import Markup

    folder = files("rma_mamba.reporting") / "templates"
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((folder / "report.html").read_text(encoding="utf-8"))
    mesh = display_mesh(report.mask)
    return template.render(
        report=report,
        disclaimer=DISCLAIMER,
        style=Markup((folder / "report.css").read_text(encoding="utf-8")),
        script=Markup((folder / "report.js").read_text(encoding="utf-8")),
        slices=_slices(report),
        liver_rgb=", ".join(map(str, LIVER_RGB)),
        mesh={
            "points": _base64(np.round(mesh.points_mm * 10).astype("<i2")),
            "triangles": _base64(mesh.triangles.astype("<u4")),
        },
    )


def _slices(report: Report) -> dict[str, str]:
    """The images of the planes by name, as base64 of JPEG; large enough to fill a screen."""
    encoded = {}
    for name, image in render_slices(report.volume, report.mask, _ZOOM).items():
        content = io.BytesIO()
        image.save(content, format="JPEG", quality=90, subsampling=0)
        encoded[name] = base64.b64encode(content.getvalue()).decode()
    return encoded


def _base64(numbers: npt.NDArray[Any]) -> str:
    return base64.b64encode(numbers.tobytes()).decode()
