"""What is known to fail after training is refused before it."""

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from rma_mamba.errors import ConfigError, GridError, RmaMambaError, WeightsError
from rma_mamba.experiments import Benchmark, load_benchmark, run_benchmark

LABEL = "data/slices/masks/p011_z0.png"


def refused(benchmark: Benchmark, error: type[RmaMambaError], message: str, *settings: str) -> None:
    with pytest.raises(error, match=message):
        run_benchmark(benchmark, settings, quiet=True)
    assert not list(Path(benchmark.folder).rglob("*.ckpt"))


def test_a_missing_label_of_a_test_image(benchmark_file: Path) -> None:
    (benchmark_file.parent / LABEL).unlink()
    refused(load_benchmark(benchmark_file), ConfigError, "an image has no label")


def test_a_test_split_without_patients(benchmark_file: Path) -> None:
    refused(
        load_benchmark(benchmark_file),
        ConfigError,
        "4 for train, 2 for val, 0 for test; expected at least one for each",
        "data.splits.b.test=[]",
    )


def test_a_test_split_without_liver(benchmark_file: Path) -> None:
    folder = benchmark_file.parent / "data/slices/masks"
    (folder / "p011_z1.png").write_bytes((folder / "p011_z0.png").read_bytes())
    refused(
        load_benchmark(benchmark_file), ConfigError, "no label of the test split contains liver"
    )


def test_a_test_label_on_another_grid(benchmark_file: Path) -> None:
    path = benchmark_file.parent / "data/volumes/labels/case_02.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)), path)
    refused(
        load_benchmark(benchmark_file),
        GridError,
        "source volumes, patient 2: a label of 3 x 3 x 3 voxels is on a different grid",
        "data.splits.a.test=['2']",
        "data.splits.a.val=[]",
    )


def test_a_group_without_test_patients(benchmark_file: Path) -> None:
    benchmark = load_benchmark(benchmark_file).model_copy(update={"group": "MR T2 test"})
    refused(benchmark, ConfigError, "group of the benchmark is MR T2 test, but .* are slices")


def test_networks_with_different_data(benchmark_file: Path) -> None:
    benchmark = load_benchmark(benchmark_file)
    row = benchmark.networks[1].model_copy(update={"set": ("data.splits.b.val=['3']",)})
    networks = (benchmark.networks[0], row)
    refused(
        benchmark.model_copy(update={"networks": networks}),
        ConfigError,
        r"U-Net and Ours & more have different data \(data.splits\)",
    )


def test_a_network_that_cannot_have_the_channels_of_the_recipe(benchmark_file: Path) -> None:
    benchmark = load_benchmark(benchmark_file)
    row = benchmark.networks[1].model_copy(update={"settings": {"width": 4, "input_channels": 6}})
    refused(
        benchmark.model_copy(update={"networks": (benchmark.networks[0], row)}),
        ConfigError,
        "cannot be run on an image of 4 channels and 32 x 32 pixels",
        "data.recipe.modality_plane=true",
    )


def test_a_network_for_whole_scans_on_single_slices(benchmark_file: Path) -> None:
    benchmark = load_benchmark(benchmark_file)
    row = benchmark.networks[1].model_copy(
        update={"model": "unet-3d", "settings": {"input_channels": 3}}
    )
    refused(
        benchmark.model_copy(update={"networks": (benchmark.networks[0], row)}),
        ConfigError,
        r"unet-3d has through-plane context, and data\.stack_depths is empty",
    )


def test_initial_weights_of_another_network(benchmark_file: Path) -> None:
    benchmark = load_benchmark(benchmark_file)
    torch.save({"a": torch.zeros(1)}, benchmark_file.parent / "start.pth")
    row = benchmark.networks[1].model_copy(update={"weights": "start.pth"})
    with pytest.raises(WeightsError, match="does not match this network"):
        run_benchmark(
            benchmark.model_copy(update={"networks": (benchmark.networks[0], row)}),
            weights=benchmark_file.parent,
            quiet=True,
        )
    assert not Path(benchmark.folder).exists()


def test_a_run_with_another_recipe_behind_an_untrained_network(benchmark_file: Path) -> None:
    benchmark = load_benchmark(benchmark_file)
    marker = Path(benchmark.folder) / "u-net" / "benchmark.json"
    marker.parent.mkdir(parents=True)
    for damage in ('{"recipe": "other"}', "{", "[]"):
        marker.write_text(damage)
        refused(benchmark, ConfigError, re.escape("the folder of U-Net contains a training run"))


def test_an_output_that_cannot_be_written(benchmark_file: Path) -> None:
    benchmark = load_benchmark(benchmark_file)
    (Path(benchmark.folder) / "table.md").mkdir(parents=True)
    refused(benchmark, ConfigError, "the output is a folder")
