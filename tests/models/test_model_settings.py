"""The whole configuration of a network makes the same network, whatever its preset becomes."""

import json

import pytest
import torch

from rma_mamba.models import create_model, list_models, model_settings
from rma_mamba.models.registry import NETWORKS


@pytest.mark.parametrize("name", list_models())
def test_all_settings_describe_the_same_network(name: str) -> None:
    stored = json.loads(json.dumps(model_settings(name)))
    assert model_settings(name, **stored) == stored
    with torch.device("meta"):
        preset, restored = create_model(name), create_model(name, **stored)
    shapes = [
        {key: value.shape for key, value in each.state_dict().items()}
        for each in (preset, restored)
    ]
    assert shapes[0] == shapes[1]


def test_a_changed_preset_does_not_change_a_stored_network(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = model_settings("rma-mamba-n", decoder_width=16)
    monkeypatch.setitem(NETWORKS, "rma-mamba-n", {**NETWORKS["rma-mamba-t"]})
    assert model_settings("rma-mamba-n", **stored) == stored
    assert model_settings("rma-mamba-n", decoder_width=16) != stored
