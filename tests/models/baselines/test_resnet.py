"""ResNet has the names, shapes and outputs of torchvision."""

import torch
from monai.networks.nets.resnet import ResNet as MonaiResNet
from monai.networks.nets.resnet import ResNetBottleneck
from torch import Tensor, nn

from rma_mamba.models.baselines.resnet import ResNet


def test_maps_are_those_of_an_independent_implementation() -> None:
    torch.manual_seed(0)
    other = MonaiResNet(
        ResNetBottleneck,
        [1, 2, 1, 1],
        [4, 8, 16, 32],
        spatial_dims=2,
        n_input_channels=3,
        conv1_t_size=7,
        conv1_t_stride=2,
        bias_downsample=False,
    ).eval()
    network = ResNet(4, (1, 2, 1, 1)).eval()
    state = other.state_dict()
    network.load_state_dict({n: x for n, x in state.items() if not n.startswith("fc.")})
    expected: list[Tensor] = []

    def keep(_: nn.Module, inputs: object, output: Tensor) -> None:
        expected.append(output.clone())

    for part in ("act", "layer1", "layer2", "layer3"):
        other.get_submodule(part).register_forward_hook(keep)
    images = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        maps = network(images)
        other(images)
    for got, wanted in zip(maps, expected, strict=True):
        torch.testing.assert_close(got, wanted)


def test_names_and_shapes_are_those_of_torchvision() -> None:
    with torch.device("meta"):
        state = ResNet(64, (3, 4, 6, 3)).state_dict()
    assert len(state) == 318
    assert state["conv1.weight"].shape == (64, 3, 7, 7)
    assert state["bn1.running_var"].shape == (64,)
    assert state["layer1.0.downsample.0.weight"].shape == (256, 64, 1, 1)
    assert state["layer2.0.conv2.weight"].shape == (128, 128, 3, 3)
    assert state["layer3.5.bn3.bias"].shape == (1024,)
    assert state["layer4.0.downsample.1.num_batches_tracked"].shape == ()
    assert "layer1.1.downsample.0.weight" not in state
