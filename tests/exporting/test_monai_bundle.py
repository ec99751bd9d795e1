"""A trained network as a MONAI bundle, run by MONAI's own commands."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import monai.bundle
import nibabel as nib
import numpy as np
import pytest
import torch

import dicom_series
from clinical_series import clinical_series
from folders import folder_config, write_folder
from rma_mamba.errors import ConfigError, RmaMambaError, WeightsError
from rma_mamba.exporting.finest_logits import PREFIX
from rma_mamba.exporting.monai_bundle import write_monai_bundle
from rma_mamba.models.weights import encode_checkpoint, read_checkpoint
from rma_mamba.pipeline import NetworkOptions, NoMessages, SegmentRequest, segment_case
from rma_mamba.pipeline.segment import Distribution, segment_path
from rma_mamba.training import train
from rma_mamba.training.toml_writer import to_toml
from tiny import MODEL, RECIPE, SETTINGS, TRAINING, tiny_weights
from two_scans import two_scan_weights, write_two_scans

# What MONAI's metadata schema of 2024-07-25 requires.
TENSOR = {
    "type": "object",
    "properties": {
        **{key: {"type": "string"} for key in ("type", "format", "dtype")},
        "num_channels": {"type": "integer"},
        "spatial_shape": {"type": "array", "items": {"type": ["string", "integer"]}},
        "value_range": {"type": "array", "items": {"type": "number"}},
        "is_patch_data": {"type": "boolean"},
        "channel_def": {"type": "object"},
    },
    "required": ["type", "format", "num_channels", "spatial_shape", "dtype", "value_range"],
}
TENSORS = {"type": "object", "additionalProperties": TENSOR}
TEXTS = (
    *("schema", "version", "monai_version", "pytorch_version", "numpy_version"),
    *("task", "description", "authors", "copyright"),
)
OPTIONAL_TEXTS = (
    *("data_source", "data_type", "image_classes", "label_classes", "pred_classes"),
    "intended_use",
)
SCHEMA = {
    "type": "object",
    "properties": {
        **{key: {"type": "string"} for key in (*TEXTS, *OPTIONAL_TEXTS)},
        "changelog": {"type": "object"},
        "required_packages_version": {"type": "object"},
        "references": {"type": "array", "items": {"type": "string"}},
        "network_data_format": {
            "type": "object",
            "properties": {
                "inputs": TENSORS,
                "outputs": TENSORS,
                "post_processed_outputs": TENSORS,
            },
            "required": ["inputs", "outputs"],
        },
    },
    "required": [*TEXTS, "required_packages_version", "network_data_format"],
}


def exported(weights: str | Path, folder: Path) -> Path:
    write_monai_bundle(weights, folder)
    return folder


def metadata(bundle: Path) -> dict[str, Any]:
    return json.loads((bundle / "configs" / "metadata.json").read_text())


def run(bundle: Path, scans: Path, out: Path, **options: object) -> None:
    config = str(bundle / "configs" / "inference.json")
    folders = {"dataset_dir": str(scans), "output_dir": str(out), "bundle_root": str(bundle)}
    monai.bundle.run(config_file=config, device="cpu", **folders, **options)


def segmented(scan: Path, weights: str | Path, out: Path) -> Path:
    network = NetworkOptions(model=str(weights), device="cpu")
    segment_case(scan, out, SegmentRequest(network=network))
    return out


def result(folder: Path) -> tuple[bytes, dict[str, Any]]:
    """The mask and the record of the run."""
    case = folder / "phantom"
    return (case / "liver.nii.gz").read_bytes(), json.loads((case / "run.json").read_text())


def test_monai_segments_as_segment_does(weights: Path, scan: Path, tmp_path: Path) -> None:
    bundle = exported(weights, tmp_path / "bundle")
    run(bundle, scan.parent, tmp_path / "results")
    mask, record = result(tmp_path / "results")
    own_mask, own_record = result(segmented(scan, weights, tmp_path / "own"))
    assert mask == own_mask
    assert record == {**own_record, "model": "model.pt"}  # with the same SHA-256 of the weights
    values = np.unique(np.asanyarray(nib.load(tmp_path / "results/phantom/liver.nii.gz").dataobj))
    assert values.size > 1  # a mask that is empty or full would compare nothing


def test_metadata_network_and_weights_are_those_that_monai_requires(
    weights: Path, tmp_path: Path
) -> None:
    bundle = exported(weights, tmp_path / "bundle")
    found = metadata(bundle)
    jsonschema.validate(found, SCHEMA)
    assert found["version"] in found["changelog"]
    configs = bundle / "configs"
    monai.bundle.verify_net_in_out(
        "network_def",
        meta_file=str(configs / "metadata.json"),
        config_file=str(configs / "inference.json"),
        device="cpu",
        n=2,
        bundle_root=str(bundle),
    )
    network = monai.bundle.load(
        "bundle", bundle_dir=str(tmp_path), workflow_type="inference", device="cpu"
    )
    state, loaded = read_checkpoint(weights).state, network.state_dict()
    assert loaded.keys() == {PREFIX + name for name in state}
    for name, tensor in state.items():
        torch.testing.assert_close(loaded[PREFIX + name], tensor.to(loaded[PREFIX + name].dtype))


def test_several_scans_of_a_patient_are_channels(tmp_path: Path) -> None:
    weights = two_scan_weights(tmp_path / "two.safetensors")
    bundle = exported(weights, tmp_path / "bundle")
    found = metadata(bundle)["network_data_format"]["inputs"]["image"]
    assert found["num_channels"] == len(found["channel_def"]) == 6
    assert found["channel_def"]["4"] == "T2: slice"
    made, folder = write_two_scans(tmp_path / "data"), tmp_path / "scans"
    for name in ("T1", "T2"):
        for patient in ("P1", "P2"):
            target = folder / patient / f"{name}.nii.gz"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made / name / f"{patient}.nii.gz", target)
    run(bundle, folder, tmp_path / "results")
    run(bundle, folder / "P1", tmp_path / "single")
    request = SegmentRequest(network=NetworkOptions(model=str(weights), device="cpu"))
    segment_path(folder, str(tmp_path / "own"), request, Distribution(), NoMessages())
    for patient in ("P1", "P2"):
        name = Path(patient) / "liver.nii.gz"
        expected = (tmp_path / "own" / name).read_bytes()
        assert (tmp_path / "results" / name).read_bytes() == expected
    assert (tmp_path / "single" / "P1" / "liver.nii.gz").exists()


def test_a_dicom_series_gives_a_dicom_seg(tmp_path: Path) -> None:
    bundle = exported(tiny_weights(tmp_path / "tiny.safetensors"), tmp_path / "bundle")
    study = dicom_series.save(tmp_path / "study", clinical_series())
    run(bundle, study, tmp_path / "results", outputs="dicom_seg,statistics")
    assert {path.name for path in (tmp_path / "results" / "study").iterdir()} >= {
        "liver_seg.dcm",
        "statistics.json",
    }


def test_an_empty_folder_is_an_error_in_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bundle = exported(tiny_weights(tmp_path / "tiny.safetensors"), tmp_path / "bundle")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RuntimeError):
        run(bundle, tmp_path / "empty", tmp_path / "results")
    assert "ERROR - 1 of 1 scans failed" in capfd.readouterr().err


def test_metadata_that_monai_rejects_are_found(tmp_path: Path) -> None:
    found = metadata(exported(tiny_weights(tmp_path / "tiny.safetensors"), tmp_path / "bundle"))
    for wrong in ({"monai_version": 1.6}, {"network_data_format": {"inputs": {}}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(found | wrong, SCHEMA)


def test_every_property_of_an_inference_workflow_exists(tmp_path: Path, scan: Path) -> None:
    bundle = exported(tiny_weights(tmp_path / "tiny.safetensors"), tmp_path / "bundle")
    workflow = monai.bundle.ConfigWorkflow(
        config_file=str(bundle / "configs" / "inference.json"),
        workflow_type="inference",
        bundle_root=str(bundle),
        dataset_dir=str(scan),
        output_dir=str(tmp_path / "results"),
    )
    workflow.initialize()
    assert workflow.check_properties() == []
    logits = workflow.inferer(torch.zeros(2, 3, 64, 96), workflow.network_def)
    assert logits.shape == (2, 1, 64, 96)


@pytest.mark.slow
def test_the_command_runs_in_any_folder_and_the_bundle_can_be_moved(
    scan: Path, tmp_path: Path
) -> None:
    weights = tiny_weights(tmp_path / "tiny.safetensors")
    bundle = shutil.move(exported(weights, tmp_path / "first"), tmp_path / "a b")
    config = bundle / "configs" / "inference.json"
    words = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(config)]
    words += ["--dataset_dir", str(scan), "--outputs", "['statistics']", "--device", "cpu"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Liver:" in done.stderr
    assert (bundle / "eval" / "phantom" / "statistics.json").exists()
    assert result(bundle / "eval")[0] == result(segmented(scan, weights, tmp_path / "own"))[0]


def test_fine_tuned_weights_take_the_place_of_those_of_the_bundle(
    scan: Path, tmp_path: Path
) -> None:
    bundle = exported(tiny_weights(tmp_path / "tiny.safetensors"), tmp_path / "bundle")
    path = bundle / "models" / "model.pt"
    state = torch.load(path, weights_only=True)
    torch.save({name: tensor.float() + 0.02 for name, tensor in state.items()}, path)
    moved = tmp_path / "moved.safetensors"
    tensors = {name.removeprefix(PREFIX): tensor.float() + 0.02 for name, tensor in state.items()}
    moved.write_bytes(
        encode_checkpoint(tensors, model="rma-mamba-n", settings=SETTINGS, recipe=RECIPE)
    )
    run(bundle, scan, tmp_path / "results")
    own = segmented(scan, moved, tmp_path / "own")
    assert result(tmp_path / "results")[0] == result(own)[0]


def test_a_scan_that_fails_does_not_stop_the_others(scan: Path, tmp_path: Path) -> None:
    bundle = exported(tiny_weights(tmp_path / "tiny.safetensors"), tmp_path / "bundle")
    (scan.parent / "a_broken.nii.gz").write_bytes(b"no scan")
    with pytest.raises(RuntimeError) as caught:
        run(bundle, scan.parent, tmp_path / "results")
    assert isinstance(caught.value.__cause__, RmaMambaError)
    assert "1 of 2 scans failed" in str(caught.value.__cause__)
    assert (tmp_path / "results" / "phantom" / "liver.nii.gz").exists()


@pytest.mark.parametrize(
    ("option", "expected"),
    [("bundle_root", "Add --bundle_root"), ("dataset_dir", "Add --dataset_dir")],
)
def test_a_missing_folder_is_an_error_that_names_the_option(
    option: str, expected: str, scan: Path, tmp_path: Path
) -> None:
    bundle = exported(tiny_weights(tmp_path / "tiny.safetensors"), tmp_path / "bundle")
    config = str(bundle / "configs" / "inference.json")
    folders = {"dataset_dir": str(scan), "bundle_root": str(bundle), option: str(tmp_path / "no")}
    with pytest.raises(RuntimeError) as caught:
        monai.bundle.run(config_file=config, output_dir=str(tmp_path / "out"), **folders)
    error: BaseException | None = caught.value
    while error is not None and not isinstance(error, RmaMambaError):
        error = error.__cause__
    assert expected in str(error)


def test_a_checkpoint_of_a_run_is_exported(tmp_path: Path) -> None:
    data = folder_config(write_folder(tmp_path / "data")).model_dump(
        mode="json", exclude_unset=True
    )
    recipe, run_folder = tmp_path / "recipe.toml", tmp_path / "run"
    training = {**TRAINING, "epochs": 1, "loggers": []}
    content = {"model": MODEL, "training": training, "data": {**data, "slices_per_epoch": 4}}
    recipe.write_text(to_toml(content))
    weights = train(recipe, [f"run.folder={run_folder}"], quiet=True)
    bundle = exported(run_folder / "checkpoints" / "best.ckpt", tmp_path / "bundle")
    assert metadata(bundle)["weights"]["sha256"] == read_checkpoint(weights).sha256
    assert metadata(bundle)["data_source"] == "a, b"


def test_the_licence_of_the_bundled_weights_is_stated(tmp_path: Path) -> None:
    bundle = exported("default", tmp_path / "bundle")
    assert "CC BY-NC-SA 4.0" in (bundle / "LICENSE").read_text()
    assert "CHAOS" in (bundle / "docs" / "data_license.txt").read_text()
    assert "Model card" in (bundle / "docs" / "README.md").read_text()
    jsonschema.validate(metadata(bundle), SCHEMA)


@pytest.mark.parametrize(
    ("provenance", "inherits"),
    [
        ({}, False),
        ({"initial_weights": {"name": "vssm.pth", "sha256": "0"}}, False),
        ({"initial_weights": {"name": "default", "sha256": "0"}}, True),
        ({"ensemble_of": [{"provenance": {}}, {"provenance": {"initial_weights": None}}]}, False),
        ({"mean_of": [{"provenance": {"initial_weights": {"name": "default"}}}]}, True),
    ],
)
def test_weights_that_started_from_the_bundled_ones_inherit_their_licence(
    provenance: dict[str, Any], inherits: bool, tmp_path: Path
) -> None:
    weights = tiny_weights(tmp_path / "tiny.safetensors")
    content = read_checkpoint(weights)
    recorded = encode_checkpoint(
        content.state,
        model=content.model,
        settings=SETTINGS,
        recipe=RECIPE,
        provenance=provenance,
    )
    weights.write_bytes(recorded)
    bundle = exported(weights, tmp_path / "bundle")
    assert ("CC BY-NC-SA" in (bundle / "LICENSE").read_text()) == inherits
    assert ("Model card" in (bundle / "docs" / "README.md").read_text()) == inherits


def test_a_licence_is_written_beside_that_of_the_bundled_weights(tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path / "tiny.safetensors")
    write_monai_bundle(weights, tmp_path / "own", licence="CC0 1.0")
    assert "licensed under: CC0 1.0\n" in (tmp_path / "own" / "LICENSE").read_text()
    write_monai_bundle("default", tmp_path / "bundled", licence="CC0 1.0")
    text = (tmp_path / "bundled" / "LICENSE").read_text()
    assert "CC BY-NC-SA" in text
    assert "CC0" in text


def test_equal_weights_give_equal_bundles(tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path / "tiny.safetensors")
    first, second = (exported(weights, tmp_path / name) for name in ("one", "two"))
    for path in first.rglob("*.*"):
        if path.is_file():
            assert path.read_bytes() == (second / path.relative_to(first)).read_bytes()


def test_a_folder_with_content_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    weights = tiny_weights(tmp_path / "tiny.safetensors")
    exported(weights, folder)  # empty
    (folder / "LICENSE").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        write_monai_bundle(weights, folder)
    assert (folder / "LICENSE").read_text() == "mine"


def test_weights_that_do_not_segment_are_not_exported(tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path / "tiny.safetensors")
    content = read_checkpoint(weights)
    provenance = {"recipe": {"pretraining": {"mask_share": 0.6}}}
    weights.write_bytes(
        encode_checkpoint(
            content.state,
            model=content.model,
            settings=SETTINGS,
            recipe=RECIPE,
            provenance=provenance,
        )
    )
    with pytest.raises(WeightsError, match="does not segment"):
        write_monai_bundle(weights, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
