"""How far a mask agrees with a reference."""

from rma_mamba.metrics.overlap import dice

__all__ = ["dice"]
