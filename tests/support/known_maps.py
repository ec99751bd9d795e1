"""The network's maps are computed once for each input, in tests that segment the same scan again and again."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from rma_mamba.inference import Segmenter


@contextmanager
def maps_computed_once() -> Iterator[None]:
    """Everything else of a segmentation runs every time."""
    known: dict[Any, list[Any]] = {}
    compute = Segmenter.maps

    def maps(self: Segmenter, images: Any, *count: int) -> list[Any]:
        pixels = sha256(np.ascontiguousarray(images)).digest()
        of_network = (
            self.weights_sha256,
            self.runtime,
            str(self.device),
            getattr(self, "dtype", None),
        )
        key = (of_network, images.shape, pixels, count)
        if key not in known:
            known[key] = compute(self, images, *count)
        return [each.copy() for each in known[key]]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Segmenter, "maps", maps)
        yield
