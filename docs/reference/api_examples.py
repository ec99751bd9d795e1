"""Examples of the API reference, one section for each name; the tests execute them in this order.

The current folder holds `scan.nii.gz`, `liver.nii.gz` and a DICOM series in `series/`.
"""

# --- segment
import rma_mamba

result = rma_mamba.segment("scan.nii.gz")
print(f"{result.modality}: {rma_mamba.measure(result.mask).volume_ml:.0f} mL")

# --- Segmentation
print(result.quality.light, [flag.code for flag in result.quality.flags])
print(result.warnings)

# --- Segmenter
segmenter = rma_mamba.Segmenter.load("default", device="cpu")  # keep it: loading takes a second
for name in ["scan.nii.gz"]:
    result = segmenter(rma_mamba.read_scan(name))

# --- read_scan
scan = rma_mamba.read_scan("series")  # a file, a DICOM folder or a zip archive
print(scan.geometry.shape, scan.geometry.spacing_mm, scan.modality)

# --- write_mask
rma_mamba.write_mask(result.mask, "liver_copy.nii.gz")

# --- write_scan
rma_mamba.write_scan(scan, "series.nii.gz")

# --- measure
found = rma_mamba.measure(result.mask)
print(found.volume_ml, found.touches_border)

# --- Volume
scan = rma_mamba.read_scan("scan.nii.gz")
darker = rma_mamba.Volume(scan.values * 0.5, scan.geometry, scan.modality)

# --- Geometry
import numpy as np

geometry = rma_mamba.Geometry((256, 256, 40), np.diag([1.5, 1.5, 5.0, 1.0]))
print(geometry.spacing_mm)  # (1.5, 1.5, 5.0)

# --- Mask
labels = np.zeros(geometry.shape, np.uint8)
labels[60:120, 80:160, 10:30] = 1
mask = rma_mamba.Mask(labels, geometry)
print(f"{rma_mamba.measure(mask).volume_ml:.0f} mL")  # 1080 mL

# --- SliceRecipe
recipe = rma_mamba.SliceRecipe(spacing_mm=1.5, ct_window_hu=(-160.0, 240.0))

# --- list_models
print(rma_mamba.list_models())

# --- create_model
import torch

model = rma_mamba.create_model("rma-mamba-n").eval()
with torch.inference_mode():
    logits = model(torch.zeros(1, 3, 64, 64))  # coarse to fine; the last one is the prediction
print(logits[-1].shape)  # [1, 1, 64, 64]

# --- load_weights
torch.save(model.state_dict(), "weights.pth")
rma_mamba.load_weights(model, "weights.pth")

# --- RmaMambaError
try:
    rma_mamba.segment("not_there.nii.gz")
except rma_mamba.RmaMambaError as error:
    print(error)  # one line: what was found, what was expected, what to do next

# --- ScanError
try:
    rma_mamba.read_scan("not_there.nii.gz")
except rma_mamba.ScanError as error:
    print(error)

# --- GridError
try:
    rma_mamba.Geometry((4, 4, 4), np.zeros((4, 4)))
except rma_mamba.GridError as error:
    print(error)

# --- DataError
from pathlib import Path

from rma_mamba.evaluation import pair_masks

try:
    pair_masks(Path("series"), [Path("series")])
except rma_mamba.RmaMambaError as error:  # a DataError or a ScanError
    print(error)

# --- WeightsError
try:
    rma_mamba.load_weights(model, "not_there.safetensors")
except rma_mamba.WeightsError as error:
    print(error)

# --- ConfigError
try:
    rma_mamba.create_model("rma-mamba-x")
except rma_mamba.ConfigError as error:
    print(error)

# --- BackendError
try:
    rma_mamba.Segmenter.load("default", device="cuda:99")
except rma_mamba.BackendError as error:
    print(error)

# --- quantify
from rma_mamba.reporting import quantify

result = rma_mamba.segment("scan.nii.gz")
quantities = quantify(result.mask, rma_mamba.read_scan("scan.nii.gz"))
print(quantities.volume_ml, quantities.surface_area_mm2)

# --- score_volume
from rma_mamba.metrics import score_volume

reference = np.zeros((64, 64, 16), np.uint8)
reference[20:40, 16:48, 4:12] = 1
prediction = np.roll(reference, 1, axis=1)
print(score_volume(reference, prediction, spacing_mm=(1.5, 1.5, 5.0)).dice)

# --- dice
from rma_mamba.metrics import dice

print(dice(reference, prediction))
