"""Arguments are checked before a scan runs."""

import pytest
import torch
from hypothesis import settings

from rma_mamba.errors import ConfigError
from rma_mamba.ops import cross_selective_scan, scan_2d, selective_scan
from rma_mamba.ops.selective_scan import numba_cpu
from rma_mamba.ops.selective_scan.arguments import CrossScanArgs, ScanArgs
from scan_inputs import Size, cross_inputs, scan_inputs

CONFIGURED = settings(max_examples=25, deadline=None)
NUMBA = numba_cpu.BLOCK


def test_an_argument_of_the_wrong_shape_is_named() -> None:
    u, delta, A, B, C, D, bias = scan_inputs(Size(1, 3, 4, 5, 1, 4))
    with pytest.raises(
        ConfigError, match=r"B has shape \(1, 3, 4, 3, 1\); expected \(1, 3, 4, 4, 1\)"
    ):
        scan_2d(u, delta, A, B[..., :3, :], C, D, bias)
    gates, weight = torch.zeros(1, 3, 4, 4, 5), torch.zeros(4, 5, 3)
    assert cross_selective_scan(u, gates, weight, A, D, bias).shape == u.shape
    with pytest.raises(ConfigError, match=r"gates has shape \(1, 3, 4, 4, 4\); expected"):
        cross_selective_scan(u, gates[..., 1:], weight, A, D, bias)
    with pytest.raises(ConfigError, match="delta_weight has shape"):
        cross_selective_scan(u, gates, weight[:3], A, D, bias)
    with pytest.raises(ConfigError, match="no empty dimension"):
        scan_2d(u[:0], delta[:, :0], A, B[:0], C[:0], D, bias)
    with pytest.raises(ConfigError, match="no empty dimension"):
        scan_2d(u, delta, A[..., :0], B[..., :0], C[..., :0], D, bias)
    with pytest.raises(ConfigError, match=r"u has dtype torch\.int64; expected floating point"):
        scan_2d(u.long(), delta, A, B, C, D, bias)
    with pytest.raises(ConfigError, match="expected three each"):
        selective_scan(u, delta, A, B, C)


def test_the_tensors_are_all_fields_but_the_flag() -> None:
    scan = ScanArgs(*scan_inputs(Size(1, 3, 4, 5, 2, 4)), True)
    assert [id(each) for each in scan.tensors] == [id(each) for each in scan[:7]]
    cross = CrossScanArgs(*cross_inputs(Size(1, 3, 4, 5, 2, 4), rank=3))
    assert len(cross.tensors) == len(CrossScanArgs._fields)
    assert cross.rank == 3


@pytest.mark.parametrize("name", ScanArgs._fields[:-1])
def test_every_tensor_of_a_scan_is_checked(name: str) -> None:
    args = ScanArgs(*scan_inputs(Size(2, 3, 4, 5, 2, 4)), True)
    args.check()
    wrong = args._replace(**{name: getattr(args, name)[:1, ..., :1]})
    with pytest.raises(ConfigError, match="has shape"):
        wrong.check()


@pytest.mark.parametrize("name", CrossScanArgs._fields)
def test_every_tensor_of_a_cross_scan_is_checked(name: str) -> None:
    args = CrossScanArgs(*cross_inputs(Size(2, 3, 4, 5, 2, 4), rank=3))
    args.check()
    wrong = args._replace(**{name: getattr(args, name)[:1, ..., :1]})
    with pytest.raises(ConfigError, match="has shape"):
        wrong.check()
