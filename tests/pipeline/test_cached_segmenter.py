"""The network that a process of a service keeps in memory."""

import pytest

from rma_mamba.pipeline import cached_segmenter as module
from rma_mamba.pipeline.cached_segmenter import cached_segmenter
from rma_mamba.pipeline.request import NetworkOptions


def test_a_network_is_loaded_once(segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_segmenters", {})
    first, other = NetworkOptions(), NetworkOptions(fast=True)
    assert cached_segmenter(first) is cached_segmenter(first)
    assert segmenter.loads == 1
    assert cached_segmenter(other) is not cached_segmenter(first)
    assert segmenter.loads == 3  # one network at a time is in memory
