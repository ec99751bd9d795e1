"""The classes that a viewer draws."""

import json
from pathlib import Path

from rma_mamba.pipeline.review.mask_labels import mask_labels


def case_with(folder: Path, labels: dict) -> Path:
    run = {"settings": {"recipe": {"labels": labels}}}
    (folder / "run.json").write_text(json.dumps(run))
    return folder


def test_a_mask_of_the_liver_has_one_class(tmp_path: Path) -> None:
    expected = {"value": 1, "name": "Liver", "color": "#dd8265", "parts": [1], "under": 0}
    assert mask_labels(tmp_path) == [expected]


def test_a_region_belongs_to_the_class_around_it(tmp_path: Path) -> None:
    labels = {"names": ["liver", "tumour"], "inside": {"tumour": "liver"}}
    liver, tumour = mask_labels(case_with(tmp_path, labels))
    assert (liver["value"], liver["parts"], liver["under"]) == (1, [1, 2], 0)
    assert (tumour["value"], tumour["parts"], tumour["under"]) == (2, [2], 1)
    assert liver["color"] != tumour["color"]


def test_exclusive_classes_are_on_their_own(tmp_path: Path) -> None:
    spleen = mask_labels(case_with(tmp_path, {"names": ["liver", "spleen"]}))[1]
    assert (spleen["name"], spleen["parts"], spleen["under"]) == ("Spleen", [2], 0)
