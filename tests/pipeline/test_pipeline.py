"""The public surface of the pipeline: its namespace, and the example of its docstring."""

import doctest
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rma_mamba import pipeline


def test_every_public_name_can_be_imported_and_listed() -> None:
    assert dir(pipeline) == sorted(pipeline.__all__)
    assert set(pipeline._MODULES) == set(pipeline.__all__)
    for name in pipeline.__all__:
        home = importlib.import_module(f"rma_mamba.pipeline.{pipeline._MODULES[name]}")
        assert getattr(pipeline, name) is getattr(home, name)
    with pytest.raises(AttributeError, match="no_such_name"):
        pipeline.no_such_name  # noqa: B018


def test_the_example_of_the_docstring_runs(
    segmenter, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(scan, "scan.nii.gz")
    Path("scans").mkdir()
    shutil.copy(scan, "scans/a.nii.gz")
    example = doctest.DocTestParser().get_doctest(pipeline.__doc__ or "", {}, "pipeline", None, 0)
    assert len(example.examples) >= 8
    found = doctest.DocTestRunner(verbose=False).run(example)
    assert found.failed == 0
    assert Path("results/a/statistics.json").exists()
    assert Path("liver_preview.png").exists()


def test_the_pipeline_is_imported_without_torch_or_the_command_line() -> None:
    script = (
        "import sys\n"
        "from rma_mamba.pipeline import *\n"
        "print([n for n in ('torch', 'ray', 'typer', 'rma_mamba.cli') if n in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
