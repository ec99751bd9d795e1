"""The names of arrays, their axes and their units, once; signatures elsewhere use these names.

Axes of a scan are i, j, k as the file stores them. Axes of slices are slice, channel, height, width:
slices run from foot to head, rows to the patient's back, columns to the patient's left. World
coordinates are RAS+ millimetres: x to the right, y to the front, z to the head.

The names of tensors are aliases for type checkers only, so that importing this file costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

# Scans, as NumPy arrays.
Voxels: TypeAlias = "npt.NDArray[Any]"  # intensities [i, j, k]; HU for CT
Labels: TypeAlias = "npt.NDArray[np.uint8]"  # 1 where the liver is, else 0 [i, j, k]
Spacing: TypeAlias = tuple[float, float, float]  # voxel size along i, j, k, in mm

# Images in the network, as tensors.
Images: TypeAlias = "torch.Tensor"  # intensities in [0, 1] [slice, channel, height, width]
Features: TypeAlias = "torch.Tensor"  # [slice, channel, height, width]
Logits: TypeAlias = "torch.Tensor"  # log-odds of liver [slice, 1, height, width]

# Selective scan (arXiv:2312.00752): B batch, D channels, N states, L positions.
Seq: TypeAlias = "torch.Tensor"  # [B, D, L]
Decay: TypeAlias = "torch.Tensor"  # [D, N]
Gate: TypeAlias = "torch.Tensor"  # [B, N, L]
