"""Names of the networks with their settings and numbers of parameters, without importing torch.

To add a network, list it here and in the table of `rma_mamba.models`.
"""

from __future__ import annotations

from typing import Any, Final

ENSEMBLE: Final = "ensemble"  # name for `create_model` of several networks

ENCODERS: Final[dict[str, dict[str, Any]]] = {
    "vmamba-t": {"width": 96, "depths": (2, 2, 5, 2), "drop_path": 0.2},
    # the VMamba-T of VMamba's current README; the paper's, by its number of parameters, is the one above
    "vmamba-t-s1l8": {"width": 96, "depths": (2, 2, 8, 2), "drop_path": 0.2, "scan_expansion": 1},
    "vmamba-s": {"width": 96, "depths": (2, 2, 15, 2), "drop_path": 0.3},
    "vmamba-b": {"width": 128, "depths": (2, 2, 15, 2), "drop_path": 0.6},
}

# Compact variant for laptops, not in the paper: the same blocks at a third of the width, another logit map at half
# resolution for sharper borders, and features passed from level to level. It is too small for stochastic depth to help.
_COMPACT: Final[dict[str, Any]] = {
    "width": 32,
    "depths": (2, 2, 5, 2),
    "drop_path": 0.0,
    "extra_blocks": 0,
    "decoder_drop_path": 0.0,
    "half_width": 16,
    "top_down": True,
    "local_blocks": (2, 1, 1, 0, 0),
    "decoder_local": 64,
}

NETWORKS: Final[dict[str, dict[str, Any]]] = {
    "rma-mamba-t": {**ENCODERS["vmamba-t"], "extra_blocks": 0},
    "rma-mamba-t-s1l8": {**ENCODERS["vmamba-t-s1l8"], "extra_blocks": 0},
    "rma-mamba-s": {**ENCODERS["vmamba-s"], "extra_blocks": 1},
    "rma-mamba-n": _COMPACT,
    # An answer to the limitation that the paper names: selective scans along the slices give each slice the context of
    # the whole scan. A fourth input channel states whether intensities are Hounsfield units. The bundled weights belong
    # to this network.
    "rma-mamba-z": {
        **_COMPACT,
        "input_channels": 4,
        "through_plane": (0, 1, 1, 1),
        "decoder_through_plane": (0, 1, 1, 1),
    },
}

# The networks that the paper compares with, and a 3-D U-Net.
BASELINES: Final[dict[str, dict[str, Any]]] = {
    "unet": {"width": 64},
    "unet-3d": {"widths": (32, 64, 96, 128), "input_channels": 4},
    "vm-unet": {"width": 96, "depths": (2, 2, 2, 2), "decoder_depths": (2, 2, 2, 1)},
    "vm-unet-v2": {"width": 96, "depths": (2, 2, 9, 2)},
    "ultralight-vm-unet": {"widths": (8, 16, 24, 32, 48, 64)},
    "mamba-unet": {"width": 96, "depths": (2, 2, 2, 2)},
    "unext": {"widths": (16, 32, 128, 160, 256)},
    "transnetr": {"width": 64, "encoder_depths": (3, 4, 6, 3)},
    "transresunet": {"width": 256, "encoder_depths": (3, 4, 6)},
    "pvtformer": {"width": 64, "encoder_depths": (3, 4, 18, 3)},
    "double-unet": {"width": 64},
    "resunet-plus-plus": {"width": 16},
}

# Number of parameters with default settings.
PARAMETERS: Final[dict[str, int]] = {
    "rma-mamba-n": 3_954_549,
    "rma-mamba-z": 4_164_389,
    "rma-mamba-t": 30_133_828,
    "rma-mamba-t-s1l8": 29_677_060,
    "rma-mamba-s": 59_861_668,
    "vmamba-t": 29_938_176,
    "vmamba-t-s1l8": 29_481_408,
    "vmamba-s": 49_380_096,
    "vmamba-b": 87_534_592,
    "unet": 31_043_521,
    "unet-3d": 3_022_916,
    "vm-unet": 27_427_561,
    "vm-unet-v2": 22_770_934,
    "ultralight-vm-unet": 49_457,
    "mamba-unet": 19_121_376,
    "unext": 1_471_921,
    "transnetr": 27_269_441,
    "transresunet": 27_597_025,
    "pvtformer": 45_512_705,
    "double-unet": 29_288_886,
    "resunet-plus-plus": 4_062_993,
}
