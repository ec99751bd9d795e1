"""How a backend is chosen, and the error when it cannot run."""

from pathlib import Path

import pytest

from rma_mamba.errors import BackendError
from rma_mamba.ops import backends
from rma_mamba.ops.backends import (
    BACKENDS,
    ENVIRONMENT_VARIABLE,
    Backend,
    available_backends,
    choose_backend,
)


def test_the_argument_takes_precedence_over_the_environment_and_that_over_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    assert choose_backend(None, "cpu", "float32").name == "numba"
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "reference")
    assert choose_backend(None, "cpu", "float32").name == "reference"
    assert choose_backend("numba", "cpu", "float32").name == "numba"
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "")
    assert choose_backend(None, "cpu", "float32").name == "numba"


@pytest.mark.parametrize(
    ("device", "dtype"), [("cuda", "float64"), ("cpu", "float64"), ("mps", "bfloat16")]
)
def test_the_reference_runs_where_no_faster_backend_does(
    monkeypatch: pytest.MonkeyPatch, device: str, dtype: str
) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    assert choose_backend(None, device, dtype).name == "reference"


@pytest.mark.parametrize(
    ("name", "device", "reason"),
    [("triton9", "cpu", "does not exist"), ("numba", "cuda", "runs on cpu")],
)
def test_a_backend_that_cannot_run_is_a_one_line_error_that_lists_all_backends(
    name: str, device: str, reason: str
) -> None:
    with pytest.raises(BackendError, match=reason) as caught:
        choose_backend(name, device, "float32")
    assert all(each.name in str(caught.value) for each in BACKENDS)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named() -> None:
    lacking = Backend("quick", "quick", "cpu", ("numpy", "no_such_package"), ("float32",))
    assert lacking.missing() == ("package no_such_package is not installed",)


def test_a_gpu_is_detected_by_its_device_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr(backends, "_DEVICES", tmp_path)
    monkeypatch.setattr(backends.sys, "platform", "linux")
    assert available_backends() == {"numba": "", "triton": "no GPU was found", "reference": ""}
    assert choose_backend(None, "cuda", "bfloat16").name == "reference"
    with pytest.raises(BackendError, match="no GPU was found"):
        choose_backend("triton", "cuda", "float32")
    (tmp_path / "nvidia0").touch()
    assert available_backends() == {"numba": "", "triton": "", "reference": ""}
    assert choose_backend(None, "cuda", "bfloat16").name == "triton"
    assert choose_backend(None, "cpu", "bfloat16").name == "numba"


@pytest.mark.parametrize(("value", "name"), [("1", "reference"), ("0", "numba"), ("", "numba")])
def test_without_numbas_compiler_the_reference_runs(
    monkeypatch: pytest.MonkeyPatch, value: str, name: str
) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setenv("NUMBA_DISABLE_JIT", value)
    assert choose_backend(None, "cpu", "float32").name == name
