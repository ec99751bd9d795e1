"""Benchmarks: several networks trained with the same recipe, scored, and compared in tables and figures."""

from typing import TYPE_CHECKING

from rma_mamba.deprecation import renamed_attributes
from rma_mamba.experiments.benchmark_run import run_benchmark
from rma_mamba.experiments.config import (
    Benchmark,
    NetworkRow,
    bundled_benchmarks,
    load_benchmark,
)
from rma_mamba.experiments.fold_scores import (
    FoldScore,
    folds_to_markdown,
    require_sound_folds,
    score_folds,
    trained_folds,
)

__all__ = [
    "Benchmark",
    "FoldScore",
    "NetworkRow",
    "bundled_benchmarks",
    "folds_to_markdown",
    "load_benchmark",
    "require_sound_folds",
    "run_benchmark",
    "score_folds",
    "trained_folds",
]

# Hidden from type checkers, which see the new names only.
if not TYPE_CHECKING:
    __getattr__ = renamed_attributes(
        __name__,
        {
            "shipped_benchmarks": "bundled_benchmarks",
        },
    )
