"""A network with several classes gives a label map, of which the liver is the mask."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clinical_series import series_mask
from rma_mamba.inference import Segmenter
from rma_mamba.inference.class_decoding import class_probabilities, label_map, liver_logits
from rma_mamba.label_scheme import LabelScheme
from rma_mamba.models import create_model
from rma_mamba.reporting.class_volumes import class_volumes
from rma_mamba.reporting.preview import render_preview
from rma_mamba.scans import write_mask
from rma_mamba.slicing import SlicePlan, SliceRecipe
from rma_mamba.volume import ClassMap, Geometry, Mask, Volume
from tumours import AFFINE, EXCLUSIVE, NESTED, scan_with_tumour

BOTH = pytest.mark.parametrize("labels", [NESTED, EXCLUSIVE], ids=["nested", "exclusive"])


class ByIntensity(nn.Module):
    """Liver and tumour by their HU: 100 and 30, in a window from -160 to 240."""

    def __init__(self, *, exclusive: bool) -> None:
        super().__init__()
        self.exclusive = exclusive

    def forward(self, images: Tensor) -> list[Tensor]:
        x = images[:, 1:2]
        tumour = 200 * (0.05 - (x - 0.49).abs())
        liver = 200 * (x - (0.57 if self.exclusive else 0.445))
        return [torch.cat([liver, tumour], 1)]


def recipe(labels: dict[str, Any], **changes: Any) -> SliceRecipe:
    return SliceRecipe.model_validate(
        {"size": 32, "spacing_mm": 4.0, "tta_scales": [1.0, 1.25], "labels": labels, **changes}
    )


@BOTH
def test_liver_and_tumour_are_found_on_the_grid_of_the_scan(labels: dict[str, Any]) -> None:
    values, expected = scan_with_tumour(0)
    whole = labels | {"liver": ["liver", "tumour"]}
    segmenter = Segmenter(ByIntensity(exclusive=labels is EXCLUSIVE), recipe(whole))
    mask = segmenter((values, AFFINE), keep_probabilities=True).mask
    assert mask.classes is not None
    agreement = (mask.classes.values == expected)[expected > 0].mean()
    assert agreement > 0.8
    assert np.array_equal(mask.labels, (mask.classes.values > 0).view(np.uint8))
    liver, tumour = class_volumes(mask)
    assert (
        tumour.largest_ml > tumour.volume_ml / 2
    )  # partial volume at the border looks like tumour
    assert 0 < tumour.volume_ml < mask.volume_ml
    assert liver.volume_ml == pytest.approx(
        mask.volume_ml - (tumour.volume_ml if labels is EXCLUSIVE else 0)
    )


def test_what_is_removed_from_the_liver_is_in_no_class() -> None:
    values, _ = scan_with_tumour(0)
    values[30:32, 15:17, 2:4] = 100  # an island
    mask = Segmenter(ByIntensity(exclusive=False), recipe(NESTED))((values, AFFINE)).mask
    assert mask.classes is not None
    assert not mask.classes.values[29:, 14:18].any()
    kept = Segmenter(ByIntensity(exclusive=False), recipe(NESTED), island_share=0)
    found = kept((values, AFFINE)).mask.classes
    assert found is not None
    assert found.values[29:, 14:18].any()


def test_one_class_by_another_name_equals_the_liver_alone() -> None:
    torch.manual_seed(0)
    model = create_model("rma-mamba-n", width=8, depths=(1, 1, 1, 1), decoder_width=8)
    values, _ = scan_with_tumour(1)
    plain, named = (
        Segmenter(model, recipe(labels))((values, AFFINE), keep_probabilities=True)
        for labels in ({"names": ["liver"]}, {"names": ["organ"]})
    )
    assert plain.mask.classes is None
    assert named.mask.classes is not None
    assert np.allclose(plain.probabilities, named.probabilities, atol=1e-5)
    assert np.mean(plain.mask.labels != named.mask.labels) < 1e-3


def test_exclusive_probabilities_and_the_background_sum_to_one() -> None:
    scheme = LabelScheme(names=("liver", "spleen"))
    plan = SlicePlan(Geometry((32, 32, 2), np.diag([4.0, 4.0, 4.0, 1.0])), recipe({}))
    logits = np.random.default_rng(0).normal(0, 3, (2, 2, 32, 32)).astype(np.float32)
    found = class_probabilities(plan, logits, scheme)
    background = 1 / (1 + np.exp(logits).sum(axis=1))
    assert np.allclose(found.sum(axis=0) + background, 1, atol=1e-5)
    values = label_map(found, scheme, 0.5)
    assert set(np.unique(values)) == {0, 1, 2}
    odds = liver_logits(logits, scheme)[:, 0]
    assert np.allclose(1 / (1 + np.exp(-odds)), found[0], atol=1e-4)


def test_files_have_the_label_map_and_one_segment_for_each_class(tmp_path: Path) -> None:
    import pydicom

    mask = series_mask(tmp_path / "in")
    values = mask.labels.copy()
    inside = tuple(each[: len(each) // 3] for each in np.nonzero(values))
    values[inside] = 2
    scheme = LabelScheme.model_validate(NESTED)
    both = Mask(mask.labels, mask.geometry, None, mask.source_images, ClassMap(values, scheme))
    write_mask(both, tmp_path / "map.nii.gz")
    assert np.array_equal(np.asarray(nib.load(tmp_path / "map.nii.gz").dataobj), values)

    write_mask(both, tmp_path / "seg.dcm")
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    assert [each.SegmentLabel for each in seg.SegmentSequence] == ["Liver", "Tumour"]
    kinds = [each.SegmentedPropertyTypeCodeSequence[0].CodeValue for each in seg.SegmentSequence]
    assert kinds == ["10200004", "4147007"]
    voxels = {1: 0, 2: 0}
    for frame, group in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        voxels[number] += int(frame.sum())
    assert voxels == {1: int((values > 0).sum()), 2: int((values == 2).sum())}

    write_mask(both, tmp_path / "rt.dcm", "dicom_rtstruct")
    rois = pydicom.dcmread(tmp_path / "rt.dcm")
    assert [each.ROIName for each in rois.StructureSetROISequence] == ["Liver", "Tumour"]
    assert [each.RTROIInterpretedType for each in rois.RTROIObservationsSequence] == [
        "ORGAN",
        "GTV",
    ]


def test_the_preview_shows_tumours_in_a_colour_of_their_own() -> None:
    values, expected = scan_with_tumour(0)
    geometry = Geometry(values.shape, AFFINE)
    scan, liver = Volume(values, geometry, "CT"), (expected > 0).view(np.uint8)
    classes = ClassMap(expected, LabelScheme.model_validate(NESTED))
    plain = np.asarray(render_preview(scan, Mask(liver, geometry)))
    both = np.asarray(render_preview(scan, Mask(liver, geometry, classes=classes)))
    changed = both[(plain != both).any(axis=-1)].astype(int)
    assert len(changed) > 50
    assert (changed[:, 1] > changed[:, 0]).mean() > 0.5  # green
