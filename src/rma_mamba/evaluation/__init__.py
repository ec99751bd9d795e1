"""A trained network against the patients that it never saw."""

from rma_mamba.evaluation.protocol import PatientScore, score_patients
from rma_mamba.evaluation.tables import to_markdown

__all__ = ["PatientScore", "score_patients", "to_markdown"]
