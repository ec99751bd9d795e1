"""The network that a process of a service keeps in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rma_mamba.pipeline.request import NetworkOptions

if TYPE_CHECKING:
    from rma_mamba.inference import Segmenter

_segmenters: dict[NetworkOptions, Segmenter] = {}


def cached_segmenter(network: NetworkOptions) -> Segmenter:
    """The network of a request, kept in the memory of this process; another network replaces it.

    Raises:
        WeightsError, BackendError: The network cannot be loaded.
    """
    if network not in _segmenters:
        _segmenters.clear()
        _segmenters[network] = network.load()
    return _segmenters[network]
