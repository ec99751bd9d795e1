"""Names of arrays with their axes and units, defined once and used in signatures throughout the package.

Scans have the axes i, j, k in file order. Slices have the axes slice, channel, height, width: slices run inferior
to superior, rows anterior to posterior, columns from the patient's right to the left. World coordinates are
RAS+ millimetres: x increases to the right, y to anterior, z to superior.

The names of tensors are aliases for type checkers only; importing this module does not import torch.
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

# Tensors in the network.
Images: TypeAlias = "torch.Tensor"  # intensities in [0, 1] [slice, channel, height, width]
Features: TypeAlias = "torch.Tensor"  # [slice, channel, height, width]
Logits: TypeAlias = "torch.Tensor"  # log-odds of liver [slice, 1, height, width]

# Selective scan (arXiv:2312.00752): B batch, D channels, N states, L positions.
Seq: TypeAlias = "torch.Tensor"  # [B, D, L]
Decay: TypeAlias = "torch.Tensor"  # [D, N]
Gate: TypeAlias = "torch.Tensor"  # [B, N, L]
