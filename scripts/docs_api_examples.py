"""Examples of the API reference. A section is for the names in its heading; the tests execute each section on its own.

The current folder holds `scan.nii.gz`, `liver.nii.gz`, a DICOM series in `series/`, scans in `images/`, and masks in
`reference/`, `ours/` and `other/`.
"""

# --- segment
import rma_mamba

result = rma_mamba.segment("scan.nii.gz")
print(f"{result.modality}: {rma_mamba.measure(result.mask).volume_ml:.0f} mL")

# --- Segmentation
import rma_mamba

result = rma_mamba.segment("scan.nii.gz")
print(result.quality.light, [flag.code for flag in result.quality.flags])
print(result.warnings)

# --- Segmenter
import rma_mamba

segmenter = rma_mamba.Segmenter.load("default", device="cpu")  # keep it: loading takes a second
for name in ["scan.nii.gz"]:
    result = segmenter(rma_mamba.read_scan(name))

# --- read_scan
import rma_mamba

scan = rma_mamba.read_scan("series")  # a file, a DICOM folder or a zip archive
print(scan.geometry.shape, scan.geometry.spacing_mm, scan.modality)

# --- read_mask
import rma_mamba

scan = rma_mamba.read_scan("scan.nii.gz")
found = rma_mamba.read_mask("liver.nii.gz", scan)  # or a DICOM SEG or RTSTRUCT
print(found.mask.volume_ml, found.warnings)

# --- MaskProvenance
from dataclasses import replace

import rma_mamba

scan = rma_mamba.read_scan("series")
drawn = rma_mamba.read_mask("liver.nii.gz", scan).mask
mask = replace(drawn, provenance=rma_mamba.MaskProvenance("manual", "Roe^Jane"))
rma_mamba.write_mask(mask, "liver_seg.dcm")

# --- write_mask
import rma_mamba

result = rma_mamba.segment("scan.nii.gz")
rma_mamba.write_mask(result.mask, "liver_copy.nii.gz")

# --- write_scan
import rma_mamba

scan = rma_mamba.read_scan("series")
rma_mamba.write_scan(scan, "series.nii.gz")

# --- measure
import rma_mamba

result = rma_mamba.segment("scan.nii.gz")
found = rma_mamba.measure(result.mask)
print(found.volume_ml, found.touches_border)

# --- Volume
import rma_mamba

scan = rma_mamba.read_scan("scan.nii.gz")
darker = rma_mamba.Volume(scan.values * 0.5, scan.geometry, scan.modality)

# --- Geometry
import numpy as np

import rma_mamba

geometry = rma_mamba.Geometry((256, 256, 40), np.diag([1.5, 1.5, 5.0, 1.0]))
print(geometry.spacing_mm)  # (1.5, 1.5, 5.0)

# --- Mask
import numpy as np

import rma_mamba

geometry = rma_mamba.Geometry((256, 256, 40), np.diag([1.5, 1.5, 5.0, 1.0]))
labels = np.zeros(geometry.shape, np.uint8)
labels[60:120, 80:160, 10:30] = 1
mask = rma_mamba.Mask(labels, geometry)
print(f"{rma_mamba.measure(mask).volume_ml:.0f} mL")  # 1080 mL

# --- SliceRecipe
import rma_mamba

recipe = rma_mamba.SliceRecipe(spacing_mm=1.5, ct_window_hu=(-160.0, 240.0))

# --- list_models
import rma_mamba

print(rma_mamba.list_models())

# --- create_model
import torch

import rma_mamba

model = rma_mamba.create_model("rma-mamba-n").eval()
with torch.inference_mode():
    logits = model(torch.zeros(1, 3, 64, 64))  # coarse to fine; the last one is the prediction
print(logits[-1].shape)  # [1, 1, 64, 64]

# --- load_weights
import torch

import rma_mamba

model = rma_mamba.create_model("rma-mamba-n")
torch.save(model.state_dict(), "weights.pth")
rma_mamba.load_weights(model, "weights.pth")

# --- RmaMambaError
import rma_mamba

try:
    rma_mamba.segment("not_there.nii.gz")
except rma_mamba.RmaMambaError as error:
    print(error)  # one line: what was found, what was expected, what to do next

# --- ScanError
import rma_mamba

try:
    rma_mamba.read_scan("not_there.nii.gz")
except rma_mamba.ScanError as error:
    print(error)

# --- GridError
import numpy as np

import rma_mamba

try:
    rma_mamba.Geometry((4, 4, 4), np.zeros((4, 4)))
except rma_mamba.GridError as error:
    print(error)

# --- DataError
from pathlib import Path

import rma_mamba
from rma_mamba.evaluation import pair_masks

try:
    pair_masks(Path("series"), [Path("series")])
except rma_mamba.RmaMambaError as error:  # a DataError or a ScanError
    print(error)

# --- WeightsError
import rma_mamba

model = rma_mamba.create_model("rma-mamba-n")
try:
    rma_mamba.load_weights(model, "not_there.safetensors")
except rma_mamba.WeightsError as error:
    print(error)

# --- ConfigError
import rma_mamba

try:
    rma_mamba.create_model("rma-mamba-x")
except rma_mamba.ConfigError as error:
    print(error)

# --- BackendError
import rma_mamba

try:
    rma_mamba.Segmenter.load("default", device="cuda:99")
except rma_mamba.BackendError as error:
    print(error)

# --- find_cases Case
from rma_mamba.pipeline import Case, find_cases

cases = find_cases("images", results="results")
print([case.name for case in cases])
second_volume = Case(cases[0].scan, "case_01/volume_02", volume=2)  # one volume of a 4-D scan

# --- segment_case CompletedCase
from rma_mamba.pipeline import CompletedCase, SegmentRequest, segment_case

completed: CompletedCase = segment_case("scan.nii.gz", "masks/liver.nii.gz", SegmentRequest())
print(completed.lines, completed.files["nifti"])

# --- segment_cohort run_sequentially run_on_ray FailedCase
import os

from rma_mamba.pipeline import find_cases, run_on_ray, run_sequentially, segment_cohort

engine = run_on_ray if "RAY_ADDRESS" in os.environ else run_sequentially
for failed in segment_cohort(find_cases("images"), "results", engine=engine):  # each a FailedCase
    print(f"{failed.case}: {failed.error}: {failed.message}")

# --- SegmentRequest NetworkOptions ReadOptions
from rma_mamba.pipeline import NetworkOptions, ReadOptions, SegmentRequest, segment_case

request = SegmentRequest(
    network=NetworkOptions(device="cpu", fast=True),
    reading=ReadOptions(strict=True, modality="CT"),
    outputs=("nifti", "preview"),
)
print(segment_case("series", "results", request).files)

# --- Messages NoMessages
from rma_mamba.pipeline import NoMessages, find_cases, segment_cohort


class Warnings(NoMessages):
    """Collect warnings, and discard all other messages."""

    def __init__(self):
        self.found = []

    def warn(self, sentences):
        """Called for the warnings of each case."""
        self.found += sentences


messages = Warnings()
segment_cohort(find_cases("images"), "results", messages=messages)
print(messages.found)

# --- OutputType
from rma_mamba.pipeline import OUTPUT_TYPES

for output_type in OUTPUT_TYPES.values():
    print(output_type.name, output_type.file_name, output_type.dicom)

# --- exit_code_of error_message ExitCode
from rma_mamba import ScanError
from rma_mamba.pipeline import ExitCode, error_message, exit_code_of, segment_case

try:
    segment_case("not_there.nii.gz", "results")
except ScanError as error:
    print(error_message(error))
    print(exit_code_of(error) == ExitCode.BAD_INPUT)  # True

# --- measure_mask
from rma_mamba.pipeline import measure_mask

quantities = measure_mask("liver.nii.gz", "scan.nii.gz", labels=[1])
print(quantities.volume_ml, quantities.warnings)

# --- list_series
from rma_mamba.scans import list_series

for series in list_series("series"):
    print(series.number, series.modality, series.images, "chosen" if series.chosen else "")

# --- count_studies
from pathlib import Path

from rma_mamba.scans import count_studies

print(count_studies(Path("series").iterdir()))  # 1

# --- has_images
from rma_mamba.scans import has_images

print(has_images("series"))  # False: the folder holds DICOM images

# --- count_volumes
from rma_mamba.scans import count_volumes

print(count_volumes("scan.nii.gz"))  # 1: a 3-D scan

# --- read_geometry
from rma_mamba.scans import read_geometry

geometry = read_geometry("scan.nii.gz")
print(geometry.shape, geometry.spacing_mm)

# --- slice_files
from rma_mamba.scans import slice_files

print(slice_files("series")[0])  # the DICOM file of the slice k = 0

# --- volume_from_memory
import numpy as np

from rma_mamba.scans import volume_from_memory

scan = volume_from_memory(np.zeros((64, 64, 20), np.int16), np.diag([3.0, 3.0, 5.0, 1.0]))
print(scan.geometry.orientation)  # RAS

# --- write_structured_report
import rma_mamba
from rma_mamba.reporting import quantify
from rma_mamba.scans import write_structured_report

result = rma_mamba.segment("series")  # a DICOM scan
quantities = quantify(result.mask, result.scan)
write_structured_report(result.mask, quantities.record, "sr.dcm", comments=quantities.warnings)

# --- write_secondary_capture
import numpy as np

import rma_mamba
from rma_mamba.reporting.preview import render_preview
from rma_mamba.scans import write_secondary_capture

result = rma_mamba.segment("series")  # a DICOM scan
image = render_preview(result.scan, result.mask)
write_secondary_capture(result.mask, np.asarray(image), "capture.dcm")

# --- write_encapsulated_pdf
from pathlib import Path

import rma_mamba
from rma_mamba.pipeline import SegmentRequest, segment_case
from rma_mamba.scans import write_encapsulated_pdf

segment_case("series", "results/", SegmentRequest(outputs=("nifti", "report_pdf")))
content = Path("results/series/report.pdf").read_bytes()
write_encapsulated_pdf(rma_mamba.segment("series").mask, content, "report.dcm")

# --- assess Quality Flag
import rma_mamba
from rma_mamba.reporting import assess

result = rma_mamba.segment("scan.nii.gz")
quality = assess(result.scan, result.mask, scale=(-160.0, 240.0))
print(quality.line, quality.light)
for flag in quality.flags:
    print(flag.code, flag.severity, flag.message)

# --- quantify Quantities PatientSize
import rma_mamba
from rma_mamba.reporting import PatientSize, quantify

result = rma_mamba.segment("scan.nii.gz")
quantities = quantify(result.mask, result.scan, PatientSize(height_cm=170, weight_kg=70))
print(quantities.volume_ml, quantities.surface_area_mm2, quantities.volume_to_vauthey_ratio)

# --- Measurements
import rma_mamba

found = rma_mamba.measure(rma_mamba.segment("scan.nii.gz").mask)  # a Measurements
print(found.extent_mm, found.touches_border, found.warnings)

# --- write_csv write_json
from pathlib import Path

from rma_mamba.pipeline import measure_mask
from rma_mamba.reporting import write_csv, write_json

quantities = measure_mask("liver.nii.gz")
write_csv(quantities, Path("measurements.csv"))
write_json(quantities, Path("measurements.json"), mask="liver.nii.gz")

# --- write_preview
import rma_mamba
from rma_mamba.reporting import write_preview

result = rma_mamba.segment("scan.nii.gz")
write_preview(result.scan, result.mask, "preview.png")

# --- dice iou f2 precision recall overlap Overlap
import numpy as np

from rma_mamba.metrics import dice, f2, iou, overlap, precision, recall

reference = np.zeros((64, 64, 16), np.uint8)
reference[20:40, 16:48, 4:12] = 1
prediction = np.roll(reference, 1, axis=1)
print(dice(reference, prediction), iou(reference, prediction), f2(reference, prediction))
print(precision(reference, prediction), recall(reference, prediction))
print(overlap(reference, prediction).both)  # voxels in both masks: 4960

# --- surface_distances SurfaceDistances hausdorff_mm hausdorff95_mm average_surface_distance_mm surface_dice
import numpy as np

from rma_mamba.metrics import (
    average_surface_distance_mm,
    hausdorff95_mm,
    hausdorff_mm,
    surface_dice,
    surface_distances,
)

reference = np.zeros((64, 64, 16), np.uint8)
reference[20:40, 16:48, 4:12] = 1
prediction = np.roll(reference, 1, axis=1)
spacing_mm = (1.5, 1.5, 5.0)
distances = surface_distances(reference, prediction, spacing_mm)  # all of them at once
print(distances.hd_mm, distances.hd95_mm, distances.assd_mm, distances.surface_dice(2.0))
print(hausdorff_mm(reference, prediction, spacing_mm))
print(hausdorff95_mm(reference, prediction, spacing_mm))
print(average_surface_distance_mm(reference, prediction, spacing_mm))
print(surface_dice(reference, prediction, spacing_mm, tolerance_mm=2.0))

# --- score_volume VolumeScore
import numpy as np

from rma_mamba.metrics import score_volume

reference = np.zeros((64, 64, 16), np.uint8)
reference[20:40, 16:48, 4:12] = 1
prediction = np.roll(reference, 1, axis=1)
score = score_volume(reference, prediction, spacing_mm=(1.5, 1.5, 5.0))  # a VolumeScore
print(score.dice, score.hd95_mm, score.volume_error_ml)

# --- paper_per_slice row_distance_paper to_paper_size
import numpy as np

from rma_mamba.metrics import paper_per_slice, row_distance_paper, to_paper_size

reference = np.zeros((320, 320), np.uint8)
reference[100:200, 80:240] = 1
prediction = np.roll(reference, 5, axis=1)
reference, prediction = to_paper_size(reference), to_paper_size(prediction)
print(paper_per_slice(reference, prediction)["dice"])
print(row_distance_paper(reference, prediction))

# --- bootstrap_interval
from rma_mamba.metrics import bootstrap_interval

values = [0.91, 0.93, 0.88, 0.95]
print(bootstrap_interval(values, patients=["a", "a", "b", "c"]))  # two scans of patient a

# --- paired_wilcoxon holm
from rma_mamba.metrics import holm, paired_wilcoxon

ours, other = [0.91, 0.93, 0.88, 0.95, 0.90], [0.90, 0.91, 0.85, 0.91, 0.85]
p = paired_wilcoxon(ours, other)  # 0.0625
print(holm([p, 0.01]))  # corrected for two comparisons

# --- summarise_values Summary
from rma_mamba.metrics import summarise_values

summary = summarise_values([0.91, 0.93, float("nan")])  # a Summary
print(summary.mean, summary.undefined)  # 0.92, 1

# --- score_case CaseName CaseScore SliceScore
from pathlib import Path

from rma_mamba.evaluation import CaseName, read_liver_mask, score_case

mask = read_liver_mask(Path("liver.nii.gz"))
name = CaseName(method="ours", source="CT", group="CT", patient="01", case="01")
score = score_case(name, mask.bits, mask.bits, mask.geometry)  # a CaseScore
print(score.volume.dice)
print([each.values["dice"] for each in score.slices])  # each a SliceScore

# --- read_liver_mask LiverMask
from pathlib import Path

from rma_mamba.evaluation import read_liver_mask

mask = read_liver_mask(Path("liver.nii.gz"), labels=[1])  # a LiverMask
print(mask.bits.sum(), mask.geometry.spacing_mm, mask.warnings)

# --- pair_masks Pairing Pair
from pathlib import Path

from rma_mamba.evaluation import pair_masks

pairing = pair_masks(Path("reference"), [Path("ours"), Path("other")])  # a Pairing
print(pairing.remarks)
for pair in pairing.pairs:
    print(pair.patient, pair.reference, pair.predictions)

# --- score_pairs summarise MetricSummary
from pathlib import Path

from rma_mamba.evaluation import pair_masks, score_pairs, summarise

scores = list(score_pairs(pair_masks(Path("reference"), [Path("ours")])))
for row in summarise(scores):  # each a MetricSummary
    print(row.method, row.protocol, row.metric, row.mean, row.worst_patient)

# --- ScoreSummary summary_to_markdown write_scores
from pathlib import Path

from rma_mamba.evaluation import (
    ScoreSummary,
    pair_masks,
    score_pairs,
    summary_to_markdown,
    write_scores,
)

scores = list(score_pairs(pair_masks(Path("reference"), [Path("ours"), Path("other")])))
summary = ScoreSummary.of(scores)
print(summary_to_markdown(summary))
write_scores(Path("scores"), scores, summary)

# --- count_empties EmptyCounts
from pathlib import Path

from rma_mamba.evaluation import count_empties, pair_masks, score_pairs

scores = list(score_pairs(pair_masks(Path("reference"), [Path("ours")])))
for counts in count_empties(scores):  # each an EmptyCounts
    print(counts.method, counts.protocol, counts.total, counts.prediction)

# --- paired_tests PairedTest
from pathlib import Path

from rma_mamba.evaluation import pair_masks, paired_tests, score_pairs

scores = list(score_pairs(pair_masks(Path("reference"), [Path("ours"), Path("other")])))
for test in paired_tests(scores):  # each a PairedTest
    print(test.first, test.second, test.metric, test.mean_difference, test.p_holm)

# --- score_patients PatientScore patients_to_markdown score_segmenter
import rma_mamba
from rma_mamba.datasets.config import DataConfig
from rma_mamba.evaluation import patients_to_markdown, score_patients, score_segmenter

source = {
    "name": "mine",
    "kind": "volumes",
    "dataset": "mine",
    "images": "images",
    "labels": "reference",
}
data = DataConfig(root=".", sources=[source], splits={"mine": {"test": ["case_01"]}})
segmenter = rma_mamba.Segmenter.load(fast=True)
scores = list(score_patients(segmenter, data))  # each a PatientScore
print(patients_to_markdown(scores))
print(score_segmenter(segmenter, data)[0].volume.hd95_mm)
