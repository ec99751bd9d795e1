"""Vectors of 16 values compute what NumPy computes of each."""

from __future__ import annotations

import numba as nb
import numpy as np
import torch

from rma_mamba.ops.selective_scan import numba_kernels
from rma_mamba.ops.selective_scan.numba_lanes import WIDTH, fill, fma, load, store, total

f4 = np.float32
exp, log1p, softplus = numba_kernels._exp, numba_kernels._log1p, numba_kernels._softplus


@nb.njit
def compute(x, out, sums, halves):  # type: ignore[no-untyped-def]
    for j in range(0, x.size, WIDTH):
        value = load(x, j)
        store(out[0], j, exp(value))
        store(out[1], j, softplus(value))
        store(out[2], j, log1p(exp(f4(0) - value * value)))
        store(out[3], j, fma(value, f4(3), fill(x, 1)) - f4(0.5))
        store(halves, j, value)
        store(out[4], j, load(halves, j))
        sums[j // WIDTH] = total(value)


def test_vectors_compute_what_numpy_computes() -> None:
    x = np.linspace(-80, 80, 40 * WIDTH, dtype=np.float32)
    out, sums = np.empty((5, x.size), np.float32), np.empty(40, np.float32)
    compute(x, out, sums, np.empty(x.size, np.uint16))
    exact = x.astype(np.float64)
    np.testing.assert_allclose(out[0], np.exp(exact), rtol=1e-6)
    np.testing.assert_allclose(out[1], np.logaddexp(0, exact), rtol=1e-6)
    np.testing.assert_allclose(out[2], np.log1p(np.exp(-(exact**2))), rtol=1e-5, atol=2e-38)
    np.testing.assert_allclose(out[3], exact * 3 + exact[1] - 0.5, rtol=1e-6, atol=1e-5)
    np.testing.assert_array_equal(out[4], torch.from_numpy(x).bfloat16().float().numpy())
    np.testing.assert_allclose(sums, exact.reshape(40, WIDTH).sum(1), rtol=1e-6)
