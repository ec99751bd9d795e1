"""The GPU kernels agree with the reference: interpreted on a CPU, compiled for a GPU, and on a GPU if there is one."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from rma_mamba.ops.selective_scan import reference
from rma_mamba.ops.selective_scan.arguments import CrossScanArgs, ScanArgs
from scan_inputs import Size, assert_close, cross_inputs, scan_inputs


@pytest.fixture
def triton_gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The backend with chunks and blocks so small that even small maps need several."""
    pytest.importorskip("triton", reason="Triton does not support this platform")
    module = importlib.import_module("rma_mamba.ops.selective_scan.triton_gpu")
    monkeypatch.setattr(module, "POSITIONS", 8)
    monkeypatch.setattr(module, "CHANNELS", 4)
    return module


def compare(
    triton_gpu: ModuleType, args: ScanArgs | CrossScanArgs, dtype: torch.dtype = torch.float32
) -> None:
    """Outputs and gradients are those of the reference."""
    cross = "cross_" if isinstance(args, CrossScanArgs) else ""
    results = []
    for backend in (reference, triton_gpu):
        y, saved = getattr(backend, f"{cross}forward")(args, True)
        grad_y = torch.randn(y.shape, generator=torch.Generator().manual_seed(3)).to(y.dtype)
        results.append([y, *getattr(backend, f"{cross}backward")(args, grad_y, saved)])
    for expected, got in zip(*results, strict=True):
        assert got.dtype == expected.dtype
        assert_close(got, expected, dtype)


def test_the_comparison_can_fail(triton_gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    args = ScanArgs(*scan_inputs(Size(1, 3, 4, 5, 1, 4)), True)
    backward = triton_gpu.backward
    monkeypatch.setattr(
        triton_gpu, "backward", lambda *given: (*backward(*given)[:-1], torch.zeros(4, 5))
    )
    with pytest.raises(AssertionError):
        compare(triton_gpu, args)


@pytest.mark.parametrize(
    ("size", "rank"),
    [
        (Size(1, 1, 1, 1, 1, 4), 1),
        (Size(2, 3, 4, 5, 1, 4), 2),
        (Size(1, 1, 9, 3, 2, 4), 3),
        (Size(1, 5, 2, 4, 1, 3), 1),
    ],
)
def test_the_kernels_agree_with_the_reference_on_cross_scans(
    triton_gpu: ModuleType, size: Size, rank: int
) -> None:
    compare(triton_gpu, CrossScanArgs(*cross_inputs(size, rank)))


@pytest.mark.parametrize("directions", [1, 2, 4])
@pytest.mark.parametrize("softplus", [True, False])
def test_the_kernels_agree_with_the_reference(
    triton_gpu: ModuleType, directions: int, softplus: bool
) -> None:
    inputs = scan_inputs(Size(1, 3, 5, 5, 1, directions))
    if not softplus:  # step sizes have to be positive then
        inputs[1], inputs[6] = inputs[1].abs() * 0.2, inputs[6].abs() * 0.2
    compare(triton_gpu, ScanArgs(*inputs, softplus))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_inputs_give_half_precision_outputs_without_nan(
    triton_gpu: ModuleType, dtype: torch.dtype
) -> None:
    inputs = cross_inputs(Size(1, 3, 4, 5, 1, 4), 2)
    inputs[0] *= 30  # half precision overflows at 65504, its products early
    mixed = [each.to(dtype) if i < 2 else each for i, each in enumerate(inputs)]
    compare(triton_gpu, CrossScanArgs(*mixed), torch.bfloat16)


def test_the_kernels_agree_with_the_reference_for_tiny_and_large_step_sizes(
    triton_gpu: ModuleType,
) -> None:
    for shift in (-17.0, 4.0):
        inputs = scan_inputs(Size(1, 2, 5, 3, 1, 4))
        inputs[1] += shift
        compare(triton_gpu, ScanArgs(*inputs, True))


COMPILE = """
import sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from rma_mamba.ops.selective_scan import triton_gpu, triton_kernels

sizes = ("batch", "height", "width", "channels", "chunks", "rows")
half = ("u", "delta", "gates", "grad_y", "gdelta")


def build(kernel, element, **constants):
    names = kernel.arg_names
    kinds = {
        name: "constexpr" if name in constants
        else "i32" if name in sizes
        else "*" + (element if name in half else "fp32")
        for name in names
    }
    values = {(names.index(name),): value for name, value in constants.items()}
    source = ASTSource(kernel, kinds, values)
    made = triton.compile(source, target=GPUTarget("cuda", int(sys.argv[1]), 32))
    assert len(made.asm["cubin"]) > 1000


shape = dict(STATES=1, DIRECTIONS=4, SOFTPLUS=True)
shape |= dict(POSITIONS=triton_gpu.POSITIONS, CHANNELS=triton_gpu.CHANNELS)
build(triton_kernels.carry, "fp32", DIRECTIONS=4, BACK=True, LANES=128)
for element, rank, columns in (("bf16", 6, True), ("fp32", 0, False)):
    shape |= dict(RANK=rank, COLUMNS=columns)
    build(triton_kernels.aggregate, element, BACK=True, **shape)
    build(triton_kernels.outputs, element, **shape)
    build(triton_kernels.gradients, element, **shape)
"""


def test_the_kernels_compile_for_a_gpu_that_is_not_present(tmp_path: Path) -> None:
    """The interpreter accepts code that the compiler rejects; compiling needs no GPU."""
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path), "TRITON_DEFAULT_FP_FUSION": "1"}
    environment.pop("TRITON_INTERPRET", None)
    script = tmp_path / "build.py"  # Triton reads the source of what it compiles
    script.write_text(COMPILE)
    done = subprocess.run(
        [sys.executable, script, "90"], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is present")
def test_the_kernels_agree_with_the_reference_on_a_gpu() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    script = Path(__file__).parents[2] / "support" / "gpu_scan.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
