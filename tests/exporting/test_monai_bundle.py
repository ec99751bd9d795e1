"""A trained network as a MONAI bundle."""

from pathlib import Path

from rma_mamba.exporting.monai_bundle import write_monai_bundle
from rma_mamba.models.weights import embedded_weights, read_checkpoint
from tiny import tiny_weights


def test_a_bundle_contains_the_weights(tmp_path: Path) -> None:
    path = tiny_weights(tmp_path / "tiny.safetensors")
    write_monai_bundle(path, tmp_path / "bundle")
    found = read_checkpoint(tmp_path / "bundle" / "models" / "model.safetensors")
    assert found.sha256 == read_checkpoint(path).sha256


def test_the_bundled_network_is_exported_by_its_name(tmp_path: Path) -> None:
    write_monai_bundle("default", tmp_path / "bundle")
    found = (tmp_path / "bundle" / "models" / "model.safetensors").read_bytes()
    with embedded_weights() as path:
        assert found == path.read_bytes()
