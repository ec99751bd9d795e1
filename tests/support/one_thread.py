"""Training of tiny networks on one thread: it is faster, and sums are in the same order as in forked processes."""

from collections.abc import Iterator

import pytest

from torch_threads import torch_threads


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with torch_threads(1):
        yield
