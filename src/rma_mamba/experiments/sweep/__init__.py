"""A sweep: training runs with different values of a few settings, and the recipe of the best."""

from rma_mamba.experiments.sweep.search_space import Choice, Range, parse_parameters
from rma_mamba.experiments.sweep.sweep_plan import Sampler, SweepPlan
from rma_mamba.experiments.sweep.sweep_run import run_sweep

__all__ = ["Choice", "Range", "Sampler", "SweepPlan", "parse_parameters", "run_sweep"]
