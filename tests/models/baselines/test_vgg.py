"""VGG-19 has the names and shapes of torchvision and returns the feature maps before each pooling layer."""

import torch

from rma_mamba.models.baselines.vgg import VGG19


def test_names_and_shapes_are_those_of_torchvision() -> None:
    with torch.device("meta"):
        state = VGG19(64).state_dict()
    assert len(state) == 32
    assert state["features.0.weight"].shape == (64, 3, 3, 3)
    assert state["features.7.bias"].shape == (128,)
    assert state["features.19.weight"].shape == (512, 256, 3, 3)
    assert state["features.34.weight"].shape == (512, 512, 3, 3)
    assert sum(each.numel() for each in state.values()) == 20_024_384


def test_each_map_is_half_as_large_as_the_previous_and_the_last_is_the_output_of_all_layers() -> (
    None
):
    network, images = VGG19(2), torch.rand(1, 3, 64, 32)
    with torch.inference_mode():
        maps = network(images)
        torch.testing.assert_close(maps[-1], network.features(images))
        torch.testing.assert_close(maps[1], network.features[:9](images))
    assert [tuple(each.shape[1:]) for each in maps] == [
        (2, 64, 32),
        (4, 32, 16),
        (8, 16, 8),
        (16, 8, 4),
        (16, 4, 2),
    ]
