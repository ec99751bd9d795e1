"""The entry point of ONNX Runtime."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from rma_mamba.portable.onnx_model import INPUT, OUTPUTS

_WARNINGS: Final = 3  # of the severities of ONNX Runtime: errors only

Images = npt.NDArray[np.float32]


class OnnxNetwork:
    """A network on ONNX Runtime.

    Args:
        content: The model as stored in a file.
        providers: Execution providers in the order of preference.
        threads: Threads of the computation; 0: one per core.
    """

    def __init__(
        self,
        content: bytes,
        providers: tuple[str, ...] = ("CPUExecutionProvider",),
        threads: int = 0,
    ) -> None:
        options: Any = onnxruntime.SessionOptions()
        options.log_severity_level = _WARNINGS
        options.intra_op_num_threads = threads
        # states of a scan that fade to zero would be computed a hundred times as slowly
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        self._session = onnxruntime.InferenceSession(content, options, list(providers))

    def maps(self, images: Images) -> list[npt.NDArray[np.float32]]:
        """The logit maps of images [slice, channel, height, width], float32, finest last."""
        found: list[Any] = self._session.run(OUTPUTS, {INPUT: images})
        return found[::-1]

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata of the model."""
        return dict(self._session.get_modelmeta().custom_metadata_map)
