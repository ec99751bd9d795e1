"""`rma-mamba export` writes a network for other software."""

from pathlib import Path


def test_a_bundle_is_written(command, tiny: Path, tmp_path: Path) -> None:
    finished = command("export", tiny, "--monai-bundle", tmp_path / "bundle")
    assert finished.code == 0
    assert finished.err == f"MONAI bundle: {tmp_path / 'bundle'}\n"
    assert (tmp_path / "bundle" / "models" / "model.pt").is_file()


def test_a_format_is_needed(command, tiny: Path) -> None:
    finished = command("export", tiny)
    assert finished.code == 2
    assert "no output is named" in finished.err


def test_missing_weights_are_one_line(command, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    finished = command("export", tmp_path / "no.safetensors", "--monai-bundle", bundle)
    assert finished.code == 5
    assert finished.err.count("\n") == 1
    assert not bundle.exists()
