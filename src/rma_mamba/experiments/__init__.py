"""Benchmarks: several networks trained with the same recipe, scored, and compared in tables and figures."""

from rma_mamba.experiments.benchmark_run import run_benchmark
from rma_mamba.experiments.config import (
    Benchmark,
    NetworkRow,
    bundled_benchmarks,
    load_benchmark,
)

__all__ = ["Benchmark", "NetworkRow", "bundled_benchmarks", "load_benchmark", "run_benchmark"]
