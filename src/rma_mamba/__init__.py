"""Liver segmentation in CT and MR with a reverse Mamba attention network (arXiv:2502.18232).

    import rma_mamba

    result = rma_mamba.segment("scan.nii.gz")
    rma_mamba.write_mask(result.mask, "liver.nii.gz")

Public names are imported on first use: `import rma_mamba` alone loads neither torch nor NumPy.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rma_mamba import metrics
    from rma_mamba.errors import (
        BackendError,
        ConfigError,
        DataError,
        GridError,
        RmaMambaError,
        ScanError,
        WeightsError,
    )
    from rma_mamba.inference import Segmentation, Segmenter, segment
    from rma_mamba.mask_provenance import MaskProvenance
    from rma_mamba.models import create_model, list_models, load_weights
    from rma_mamba.reporting import measure
    from rma_mamba.scans import read_scan, write_mask, write_scan
    from rma_mamba.scans.mask_reader import read_mask
    from rma_mamba.slicing import SliceRecipe
    from rma_mamba.volume import Geometry, Mask, Volume

    __version__: str

__all__ = [
    "BackendError",
    "ConfigError",
    "DataError",
    "Geometry",
    "GridError",
    "Mask",
    "MaskProvenance",
    "RmaMambaError",
    "ScanError",
    "Segmentation",
    "Segmenter",
    "SliceRecipe",
    "Volume",
    "WeightsError",
    "__version__",
    "create_model",
    "list_models",
    "load_weights",
    "measure",
    "metrics",
    "read_mask",
    "read_scan",
    "segment",
    "write_mask",
    "write_scan",
]

_MODULES = {
    "BackendError": "errors",
    "ConfigError": "errors",
    "DataError": "errors",
    "Geometry": "volume",
    "GridError": "errors",
    "Mask": "volume",
    "MaskProvenance": "mask_provenance",
    "RmaMambaError": "errors",
    "ScanError": "errors",
    "Segmentation": "inference",
    "Segmenter": "inference",
    "SliceRecipe": "slicing",
    "Volume": "volume",
    "WeightsError": "errors",
    "create_model": "models",
    "list_models": "models",
    "load_weights": "models",
    "measure": "reporting",
    "read_mask": "scans.mask_reader",
    "read_scan": "scans",
    "segment": "inference",
    "write_mask": "scans",
    "write_scan": "scans",
}

# Hidden from type checkers, so that they see only the names above.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        import importlib

        if name == "__version__":
            from rma_mamba.conventions import software_version

            value = software_version()
        elif name == "metrics":
            value = importlib.import_module(f"{__name__}.metrics")
        elif name in _MODULES:
            from rma_mamba.extras import import_for

            value = getattr(import_for(f"{__name__}.{_MODULES[name]}", name), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
