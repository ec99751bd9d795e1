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


def test_an_onnx_file_is_written(command, tiny: Path, tmp_path: Path) -> None:
    finished = command("export", tiny, "-o", tmp_path / "model.onnx", "--size", "32x64")
    assert finished.code == 0
    assert finished.out == ""
    assert finished.err.startswith(f"ONNX file: {tmp_path / 'model.onnx'}; logits differ")
    assert (tmp_path / "model.onnx").stat().st_size > 100_000


def test_a_wrong_size_leaves_nothing(command, tiny: Path, tmp_path: Path) -> None:
    for size, words in (("31", "31x31"), ("axb", "the size is 'axb'")):
        finished = command("export", tiny, "-o", tmp_path / "model.onnx", "--size", size)
        assert finished.code == 2
        assert words in finished.err
    assert not (tmp_path / "model.onnx").exists()
