"""Names of the previous release still work, with a warning."""

import pytest

from rma_mamba import evaluation


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Report", "ScoreSummary"),
        ("report_to_markdown", "summary_to_markdown"),
        ("to_markdown", "patients_to_markdown"),
    ],
)
def test_an_old_name_is_a_deprecated_alias(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=rf"use rma_mamba\.evaluation\.{new}"):
        assert getattr(evaluation, old) is getattr(evaluation, new)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'reports'"):
        _ = evaluation.reports
