"""Evaluation of networks and of existing masks against references: scores, summaries, tests, tables and files.

>>> cases = score_segmenter(segmenter, data, "test", method="ours")  # or list(score_pairs(pair_masks(...)))
>>> summary = ScoreSummary.of(cases)
>>> print(summary_to_markdown(summary))
>>> write_scores(Path("scores"), cases, summary)
"""

from typing import TYPE_CHECKING

from rma_mamba.deprecation import renamed_attributes
from rma_mamba.evaluation.case_scores import CaseName, CaseScore, SliceScore, score_case
from rma_mamba.evaluation.comparison import PairedTest, paired_tests
from rma_mamba.evaluation.mask_pairs import Pair, Pairing, pair_masks
from rma_mamba.evaluation.mask_scoring import score_pairs
from rma_mamba.evaluation.masks import LiverMask, read_liver_mask
from rma_mamba.evaluation.metric_summaries import (
    EmptyCounts,
    MetricSummary,
    count_empties,
    summarise,
)
from rma_mamba.evaluation.patient_markdown import patients_to_markdown
from rma_mamba.evaluation.patient_scores import PatientScore, score_patients, score_segmenter
from rma_mamba.evaluation.score_files import FILES, write_scores
from rma_mamba.evaluation.score_summary import ScoreSummary
from rma_mamba.evaluation.summary_markdown import POSTPROCESSING, summary_to_markdown

__all__ = [
    "FILES",
    "POSTPROCESSING",
    "CaseName",
    "CaseScore",
    "EmptyCounts",
    "LiverMask",
    "MetricSummary",
    "Pair",
    "PairedTest",
    "Pairing",
    "PatientScore",
    "ScoreSummary",
    "SliceScore",
    "count_empties",
    "pair_masks",
    "paired_tests",
    "patients_to_markdown",
    "read_liver_mask",
    "score_case",
    "score_pairs",
    "score_patients",
    "score_segmenter",
    "summarise",
    "summary_to_markdown",
    "write_scores",
]

# Hidden from type checkers, which see the new names only.
if not TYPE_CHECKING:
    __getattr__ = renamed_attributes(
        __name__,
        {
            "Report": "ScoreSummary",
            "report_to_markdown": "summary_to_markdown",
            "to_markdown": "patients_to_markdown",
        },
    )
