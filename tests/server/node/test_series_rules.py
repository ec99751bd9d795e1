"""Rules choose series by modality, description, phase and kernel."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rma_mamba.scans.dicom_series import SeriesInfo
from rma_mamba.server.node.series_rules import SeriesRule, matching_rule, phase_of


def info(description: str = "", **changes: Any) -> SeriesInfo:
    fields = {
        "number": 1,
        "study": 1,
        "uid": "1.2.3",
        "modality": "CT",
        "kind": "original",
        "images": 40,
        "volumes": 1,
        "orientation": "axial",
        "spacing_mm": (0.7, 0.7, 2.5),
        "chosen": False,
        "reason": "",
    }
    return SeriesInfo(**{**fields, "description": description, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("description", "phase"),
    [
        ("Abdomen portalvenös 3.0 B30f", "portal_venous"),
        ("ABD_PV_5mm", "portal_venous"),
        ("Liver 70s", "portal_venous"),
        ("t1_vibe_fs_tra_bh_venous", "portal_venous"),
        ("Art. Phase", "arterial"),
        ("late arterial", "arterial"),
        ("t1 vibe 35 sec", "arterial"),
        ("Delayed 5 min", "delayed"),
        ("Spätphase", "delayed"),
        ("HBP 20min", "hepatobiliary"),
        ("Nativ", "native"),
        ("ABD W/O", "native"),
        ("non-contrast abdomen", "native"),
        ("Topogram", None),
        ("t2_haste_cor", None),
        ("Parts of the chest", None),
        ("", None),
    ],
)
def test_the_phase_is_read_from_words_of_several_languages(
    description: str, phase: str | None
) -> None:
    assert phase_of(info(description)) == phase


def test_the_protocol_states_the_phase_if_the_description_does_not() -> None:
    assert phase_of(info("Thins", protocol="Liver arterial")) == "arterial"
    assert phase_of(info("portal", protocol="Liver arterial")) == "portal_venous"


@pytest.mark.parametrize(
    ("rule", "matching", "other"),
    [
        ({"modality": "MR"}, info(modality="MR"), info()),
        ({"description": "liver|abd"}, info("CT ABD 3.0"), info("CT thorax")),
        ({"description": "liver"}, info(protocol="Liver 3 phases"), info("spine")),
        ({"exclude": "mip|mpr"}, info("Abdomen"), info("Abdomen MIP")),
        ({"phase": "arterial"}, info("art"), info("portal")),
        ({"kernel": "^B[123]\\d"}, info(kernel="B30f"), info(kernel="B70f")),
        ({"kernel": "br40"}, info(kernel="Br40d 3"), info(kernel="")),
        ({"orientation": "axial"}, info(), info(orientation="coronal")),
        ({"min_images": 20}, info(images=20), info(images=19)),
        ({"max_slice_spacing_mm": 3}, info(), info(spacing_mm=(1, 1, 5))),
        ({}, info(kind="derived"), info(kind="localizer")),
    ],
)
def test_a_series_must_satisfy_each_setting(
    rule: dict[str, Any], matching: SeriesInfo, other: SeriesInfo
) -> None:
    assert SeriesRule(**rule).matches(matching)
    assert not SeriesRule(**rule).matches(other)


def test_the_first_rule_with_a_match_decides() -> None:
    venous, arterial = info("portal"), info("arterial")
    rules = [SeriesRule(phase="hepatobiliary"), SeriesRule(phase="portal_venous"), SeriesRule()]
    assert matching_rule(rules, [arterial, venous]) == (rules[1], [venous])
    assert matching_rule(rules, [arterial]) == (rules[2], [arterial])
    assert matching_rule(rules[:2], [arterial]) is None


def test_an_invalid_regular_expression_is_an_error() -> None:
    with pytest.raises(ValidationError, match="not a regular expression"):
        SeriesRule(description="(")
