"""Every backend module provides the functions of the interface, with its parameters."""

import importlib
import inspect

import pytest

from rma_mamba.errors import BackendError
from rma_mamba.ops.backends import BACKENDS
from rma_mamba.ops.selective_scan.backend import ScanBackend, load_backend

FUNCTIONS = ("saved_shape", "forward", "backward", "cross_forward", "cross_backward")


@pytest.mark.parametrize("name", [each.name for each in BACKENDS])
def test_a_backend_provides_the_interface(name: str) -> None:
    if name == "triton":
        pytest.importorskip("triton", reason="Triton does not support this platform")
    module = load_backend(name)
    for function in FUNCTIONS:
        _, *expected = inspect.signature(getattr(ScanBackend, function)).parameters
        assert list(inspect.signature(getattr(module, function)).parameters) == expected


@pytest.mark.parametrize("name", ["numba", "reference"])
def test_saved_states_have_the_stated_shape(name: str) -> None:
    from rma_mamba.ops.selective_scan.arguments import ScanArgs
    from scan_inputs import Size, scan_inputs

    args = ScanArgs(*scan_inputs(Size(2, 9, 8, 5, 3, 4)), True)
    module = load_backend(name)
    _, saved = module.forward(args, True)
    assert saved.shape == module.saved_shape(args.u.shape, args.A.shape)
    _, nothing = module.forward(args, False)
    assert nothing.numel() == 0


@pytest.mark.parametrize("error", [ImportError("no llvmlite"), ValueError("NUM_THREADS\nis 0")])
def test_a_library_that_cannot_be_imported_is_a_one_line_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(BackendError, match="RMA_MAMBA_BACKEND=reference") as caught:
        load_backend("numba")
    assert "\n" not in str(caught.value)
