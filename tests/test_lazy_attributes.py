import pytest

from rma_mamba.lazy_attributes import lazy_attributes


def test_a_name_is_imported_on_first_use_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from rma_mamba import ops

    get = lazy_attributes("rma_mamba.ops", {"has_gpu": "backends"})
    try:
        assert get("has_gpu") is ops.backends.has_gpu
        assert ops.has_gpu is ops.backends.has_gpu
    finally:
        monkeypatch.delattr(ops, "has_gpu", raising=False)


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match=r"'rma_mamba.ops' has no attribute 'absent'"):
        lazy_attributes("rma_mamba.ops", {})("absent")
