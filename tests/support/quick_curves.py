"""Training runs whose curves are not drawn: matplotlib takes as long for them as a tiny network for an epoch."""

import pytest

_DRAWN = ("test_curves.py", "test_run_record.py")


@pytest.fixture(autouse=True)
def curves_are_not_drawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the tests of the curves draw them."""
    if request.path.name not in _DRAWN:
        monkeypatch.setattr("rma_mamba.training.curves.draw_curves", lambda history: b"curves")
