"""An ensemble gives the mean probability of its networks, whatever they are."""

import pytest
import torch
from torch import nn

from rma_mamba.errors import ConfigError
from rma_mamba.models import create_model, for_inference, list_models, model_settings
from rma_mamba.models.ensemble import Ensemble, mean_probability_logits, mean_softmax_logits

TINY = {"width": 8, "depths": (1, 1, 1, 1), "decoder_width": 8}
MEMBERS = [{"model": "rma-mamba-n", "settings": TINY}, {"model": "unet", "settings": {"width": 4}}]


class Fixed(nn.Module):
    """A network that returns the same maps for every image."""

    def __init__(self, *maps: torch.Tensor) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        return list(self.maps)


def test_probabilities_are_averaged_and_not_logits() -> None:
    logits = torch.tensor([[-9.0, 0.0, 3.0], [0.5, 0.0, -8.0], [2.0, 1.0, 3.0]])
    found = mean_probability_logits(logits).sigmoid()
    torch.testing.assert_close(found, logits.sigmoid().mean(0))
    assert not torch.allclose(found, logits.mean(0).sigmoid(), atol=0.05)


def test_certain_networks_give_finite_logits() -> None:
    found = mean_probability_logits(torch.tensor([[200.0, -200.0], [200.0, -200.0]]))
    torch.testing.assert_close(found, torch.tensor([200.0, -200.0]))


def test_members_may_be_different_networks() -> None:
    ensemble = create_model("ensemble", members=MEMBERS).eval()
    image = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        found = for_inference(ensemble)(image)[-1].sigmoid()
        one, other = (member(image)[-1].sigmoid() for member in ensemble.members)
    torch.testing.assert_close(found, (one + other) / 2, atol=1e-4, rtol=1e-4)


def test_coarser_maps_are_averaged_as_far_as_all_members_have_them() -> None:
    fine, coarse, small = torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 2, 2)
    image = torch.zeros(1, 3, 4, 4)
    two = Ensemble([Fixed(small, coarse, fine), Fixed(coarse, fine)])(image)
    assert [each.shape[-1] for each in two] == [4, 4]
    torch.testing.assert_close(two[-1], fine)
    torch.testing.assert_close(two[0], coarse)
    assert len(Ensemble([Fixed(coarse, fine), Fixed(small, fine)])(image)) == 1


def test_the_configuration_is_that_of_every_member_in_full() -> None:
    found = model_settings("ensemble", members=MEMBERS)
    assert found["members"] == [
        {"model": each["model"], "settings": model_settings(each["model"], **each["settings"])}
        for each in MEMBERS
    ]
    assert len(found["members"][0]["settings"]) > len(TINY)


def test_an_ensemble_is_no_network_to_choose_by_name() -> None:
    assert "ensemble" not in list_models()
    with pytest.raises(ConfigError, match=r"members"):
        create_model("ensemble")
    with pytest.raises(ConfigError, match="unknown model 'u-nett'"):
        create_model("ensemble", members=[{"model": "u-nett"}])


def test_exclusive_classes_are_averaged_after_their_softmax() -> None:
    logits = torch.randn(3, 2, 2, 4, 4)
    background = torch.zeros(3, 2, 1, 4, 4)
    expected = torch.softmax(torch.cat([background, logits], 2), 2).mean(0)
    found = mean_softmax_logits(logits)
    together = torch.softmax(torch.cat([torch.zeros(2, 1, 4, 4), found], 1), 1)
    torch.testing.assert_close(together, expected)
    one = logits[:, :, :1]
    torch.testing.assert_close(
        mean_softmax_logits(one), mean_probability_logits(one), atol=1e-4, rtol=1e-4
    )
