"""Networks and given masks against references: scores, summaries, tests, tables and files.

>>> cases = score_segmenter(segmenter, data, "test", method="ours")  # or list(score_pairs(pair_masks(...)))
>>> report = Report.of(cases)
>>> print(report_to_markdown(report))
>>> write_scores(Path("scores"), cases, report)
"""

from rma_mamba.evaluation.comparison import PairedTest, paired_tests
from rma_mamba.evaluation.export import FILES, write_scores
from rma_mamba.evaluation.folders import Pair, Pairing, pair_masks, score_pairs
from rma_mamba.evaluation.protocol import PatientScore, score_patients, score_segmenter
from rma_mamba.evaluation.report import Report
from rma_mamba.evaluation.report_tables import report_to_markdown
from rma_mamba.evaluation.scores import CaseName, CaseScore, SliceScore, score_case
from rma_mamba.evaluation.summary import EmptyCounts, MetricSummary, count_empties, summarise
from rma_mamba.evaluation.tables import to_markdown

__all__ = [
    "FILES",
    "CaseName",
    "CaseScore",
    "EmptyCounts",
    "MetricSummary",
    "Pair",
    "PairedTest",
    "Pairing",
    "PatientScore",
    "Report",
    "SliceScore",
    "count_empties",
    "pair_masks",
    "paired_tests",
    "report_to_markdown",
    "score_case",
    "score_pairs",
    "score_patients",
    "score_segmenter",
    "summarise",
    "to_markdown",
    "write_scores",
]
