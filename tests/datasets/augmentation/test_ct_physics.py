"""Contrast phases, fluid and metal change the tissues that they should, by amounts that physics permits."""

from collections.abc import Callable

import pytest
import torch

from rma_mamba.datasets.augmentation.ct_physics import (
    RandAscites,
    RandContrastPhase,
    RandEffusion,
    RandMetal,
)
from rma_mamba.datasets.slices import Sample

WINDOW = (-125.0, 275.0)
LUNG, FAT, LIVER, SPLEEN, MUSCLE = -125.0, -100.0, 105.0, 120.0, 55.0


def body() -> tuple[torch.Tensor, torch.Tensor]:
    """HU and organs of a body of fat in air with muscle around it, two lungs, liver and spleen."""
    hu = torch.full((4, 96, 96), LUNG)
    hu[:, 10:86, 10:86] = MUSCLE
    hu[:, 14:82, 14:82] = FAT
    hu[:, 60:80, 18:44] = hu[:, 60:80, 52:78] = LUNG
    organs = torch.zeros(4, 96, 96, dtype=torch.uint8)
    organs[:, 20:50, 20:50], organs[:, 24:44, 60:78] = 6, 1
    hu[organs == 6], hu[organs == 1] = LIVER, SPLEEN
    return hu + torch.randn(hu.shape, generator=torch.Generator().manual_seed(0)), organs


def sample(hu: torch.Tensor, organs: torch.Tensor) -> Sample:
    low, high = WINDOW
    return {
        "image": (hu - low) / (high - low),
        "label": (organs == 6).float(),
        "tissues": organs,
    }


def changed(
    transform: RandContrastPhase | RandEffusion | RandAscites | RandMetal, seed: int
) -> torch.Tensor:
    hu, organs = body()
    transform.set_random_state(seed=seed)
    result = transform(sample(hu, organs))
    assert torch.equal(result["label"], (organs == 6).float())
    return result["image"] * (WINDOW[1] - WINDOW[0]) + WINDOW[0]


def core(hu: torch.Tensor, value: int) -> float:
    """Median inside an organ, away from its border."""
    inside = -torch.nn.functional.max_pool2d(-(body()[1] == value).float()[None], 5, 1, 2)[0] > 0
    return float(hu[inside].median())


def test_organs_get_the_contrast_of_a_phase_and_everything_else_stays() -> None:
    livers, differences = [], []
    for seed in range(60):
        hu = changed(RandContrastPhase(1.0, WINDOW), seed)
        livers.append(core(hu, 6))
        differences.append(core(hu, 6) - core(hu, 1))
        fat = hu[:, 54:58, 20:70]
        assert float((fat - FAT).abs().median()) < 2
    assert min(livers) < 40  # fatty, unenhanced
    assert max(livers) > 110
    assert all(-40 < each < 185 for each in livers)
    assert min(differences) < -30  # spleen in the arterial phase
    assert max(differences) > 0


def test_effusion_fills_the_posterior_lung_with_fluid() -> None:
    before, _ = body()
    lung = before < -115
    amounts = []
    for seed in range(20):
        after = changed(RandEffusion(1.0, WINDOW), seed)
        filled = lung & (after > -40)
        filled[:, :, :14] = filled[:, :, 82:] = False
        assert not filled[:, :58].any()  # air around the patient stays
        assert abs(core(after, 6) - LIVER) < 1
        if filled.sum() > 100:
            amounts.append(int(filled.sum()))
            inside = after[filled]
            assert -10 < float(inside.median()) < 35
    assert len(amounts) > 10
    assert len(set(amounts)) > 5


def test_ascites_replaces_fat_around_the_liver_only() -> None:
    before, _ = body()
    for seed in range(10):
        after = changed(RandAscites(1.0, WINDOW), seed)
        replaced = ((before < -60) & (after > -40))[:, 14:82, 14:82]
        assert replaced.any()
        assert abs(core(after, 6) - LIVER) < 1
        assert abs(core(after, 1) - SPLEEN) < 1
        assert float((after[:, 60:80, 20:40] - LUNG).abs().median()) < 2


def test_metal_lies_inside_the_body_and_is_small() -> None:
    before, _ = body()
    after = changed(RandMetal(1.0, WINDOW), 3)
    metal = (after > 299) & (before < 200)
    assert 0 < int(metal.sum()) < 400


@pytest.mark.parametrize("make", [RandContrastPhase, RandEffusion, RandAscites, RandMetal])
def test_nothing_changes_with_probability_zero(make: Callable[..., RandEffusion]) -> None:
    hu, organs = body()
    found = make(0.0, WINDOW)(sample(hu, organs))
    assert torch.equal(found["image"], sample(hu, organs)["image"])
