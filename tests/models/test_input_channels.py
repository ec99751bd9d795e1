"""Networks for several scans of a patient."""

from pathlib import Path

import pytest
import torch

from rma_mamba.errors import ConfigError, WeightsError
from rma_mamba.models import create_model, load_weights
from rma_mamba.models.registry import BASELINES
from tiny import SETTINGS

# Settings that make each network small.
SMALL = {
    "unet": {"width": 2},
    "unet-3d": {"widths": (2, 4)},
    "vm-unet": {"width": 16, "depths": (1, 1, 1, 1), "decoder_depths": (1, 1, 1, 1)},
    "vm-unet-v2": {"width": 16, "depths": (1, 1, 1, 1)},
    "ultralight-vm-unet": {},
    "mamba-unet": {"width": 4, "depths": (1, 1, 1, 1)},
    "unext": {"widths": (4, 4, 8, 8, 8)},
    "transnetr": {"width": 8, "encoder_width": 4, "encoder_depths": (1, 1, 1, 1)},
    "transresunet": {"width": 16, "encoder_width": 4, "encoder_depths": (1, 1, 1)},
    "pvtformer": {"width": 4, "encoder_width": 4, "encoder_depths": (1, 1, 1, 1)},
    "double-unet": {"width": 16},
    "resunet-plus-plus": {"width": 8},
    "rma-mamba-n": SETTINGS,
}


@pytest.mark.parametrize("name", [*BASELINES, "rma-mamba-n"])
def test_every_network_takes_six_channels_and_uses_the_second_scan(name: str) -> None:
    torch.manual_seed(0)
    model = create_model(name, **SMALL[name], input_channels=6)
    images = torch.rand(2, 6, 64, 64, requires_grad=True)
    model(images)[-1].square().sum().backward()
    assert images.grad is not None
    assert images.grad[:, 3:].abs().sum() > 0
    with pytest.raises(ConfigError, match=r"expected \[slice, 6, height, width\]"):
        model(images[:, :3])


def stored(path: Path, channels: int) -> tuple[Path, torch.nn.Module]:
    model = create_model("rma-mamba-n", **SETTINGS, input_channels=channels).eval()
    torch.save(model.state_dict(), path)
    return path, model


@pytest.mark.parametrize(("file", "own"), [(3, 6), (3, 9), (4, 7), (3, 7)])
def test_equal_scans_give_the_result_of_the_weights_for_a_single_scan(
    tmp_path: Path, file: int, own: int
) -> None:
    torch.manual_seed(1)
    path, single = stored(tmp_path / "single.pth", file)
    several = create_model("rma-mamba-n", **SETTINGS, input_channels=own).eval()
    load_weights(several, path)
    scan, plane = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    given = torch.cat([scan, plane], 1)[:, :file]
    repeated = torch.cat([*[scan] * (own // 3), *[plane] * (own % 3)], 1)
    with torch.inference_mode():
        expected, found = single(given)[-1], several(repeated)[-1]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_fourth_channel_without_a_place_does_not_fit(tmp_path: Path) -> None:
    path, _ = stored(tmp_path / "plane.pth", 4)
    with pytest.raises(WeightsError, match="wrong shape"):
        load_weights(create_model("rma-mamba-n", **SETTINGS, input_channels=6), path)
