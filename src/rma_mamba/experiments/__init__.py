"""Several networks under one recipe: trained, scored, and compared in tables and figures."""

from rma_mamba.experiments.config import (
    Benchmark,
    NetworkRow,
    load_benchmark,
    shipped_benchmarks,
)
from rma_mamba.experiments.run import run_benchmark

__all__ = ["Benchmark", "NetworkRow", "load_benchmark", "run_benchmark", "shipped_benchmarks"]
