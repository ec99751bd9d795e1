"""Makes `inputs` importable beside the tests, and unwritten outputs visible."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def unwritten_memory_is_nan() -> Iterator[None]:
    """`torch.empty` gives NaN, so that an output that a kernel forgot is seen."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
