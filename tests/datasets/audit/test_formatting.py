"""The result of an audit as Markdown and JSON."""

from __future__ import annotations

import json
from pathlib import Path

from audits import audited, label_of
from layouts import save, scan
from rma_mamba.datasets.audit import to_json, to_markdown


def test_the_same_finding_in_several_cases_is_reported_on_one_line(folders: Path) -> None:
    for n in (2, 4):
        save(label_of(folders, n), 3 * scan(n)[1])
    shown = to_markdown(audited("folders", folders))
    assert shown.count("**label values** case_2; case_4: the label contains the values 3;") == 1


def test_patients_volumes_and_slices_are_counted(cirrmri: Path) -> None:
    result = audited("cirrmri600", cirrmri)
    shown = to_markdown(result)
    slices = sum(bool(scan(107)[1][:, :, k].any()) for k in range(10))
    assert f"| T2 | val | 1 | 1 | 10 | {slices} | {10 - slices} |" in shown
    assert "| T1 | 2 | 6 | 44 x 40 | 10 | LPS (8) | 0, 1 |" in shown
    assert "| T2 2D | - | - | 44 x 40 | 10 | - | 0, 255 |" in shown
    assert "- severe: 2 train, 0 val, 1 test" in shown
    content = json.loads(to_json(result))
    case = next(each for each in content["cases"] if each["name"] == "T2/valid/0007")
    assert case["severity"] == "moderate"
    assert case["slices_with_liver"] == slices
    assert case["spacing_mm"] == [2.0, 2.0, 6.0]
