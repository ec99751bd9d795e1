"""Segmenting, reporting and training work where a container or a batch job leaves a process next to nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rma_mamba
from folders import folder_config, write_folder
from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.training.toml_writer import to_toml
from tiny import SETTINGS, tiny_weights

pytestmark = pytest.mark.slow

READ_ONLY = "read_only"
ANOTHER_USER = ("unshare", "--user", "--map-user=12345", "--map-group=12345")

# A read-only file system over the usual temporary folders; what the tests write is mounted again on top of itself.
WITHOUT_TMP = (
    *("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"),
    'work=$1; shift; mount --bind "$work" "$work"\n'
    'for folder in /tmp /var/tmp; do [ "${work#"$folder"/}" = "$work" ] || continue\n'
    'mount -t tmpfs -o ro tmpfs "$folder"; done\n'
    'cd "$work/read_only"; exec "$@"',
    "sh",
)

BAD_BACKEND = "a backend of matplotlib that is not there"
READ_ONLY_HOME = "a user without a name, HOME and the folders of caches read-only"
NOTHING = "a user without a name, no HOME, no temporary folder"
CONDITIONS = {
    BAD_BACKEND: ((), {"MPLBACKEND": "no_such_backend"}),
    READ_ONLY_HOME: (
        ANOTHER_USER,
        {"HOME": READ_ONLY, "MPLCONFIGDIR": f"{READ_ONLY}/mpl", "NUMBA_CACHE_DIR": READ_ONLY},
    ),
    NOTHING: ((*WITHOUT_TMP, "{work}", *ANOTHER_USER), {"HOME": None, "TMPDIR": None}),
}

# torch leaves the last two in the environment of the tests
INHERITED = ("LOGNAME", "USER", "LNAME", "USERNAME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan, data, a recipe, weights, and a folder that cannot be written."""
    shared = Path("/dev/shm")
    work = tmp_path_factory.mktemp("bare")
    if shared.is_dir() and os.access(shared, os.W_OK):  # beside /tmp, which one of the tests hides
        work = shared / f"rma_mamba_test_{os.getpid()}"
        work.mkdir()
    (work / READ_ONLY).mkdir(mode=0o555)
    phantom = make_phantom(3, shape=(40, 40, 6), spacing_mm=(8.0, 8.0, 30.0))
    rma_mamba.write_scan(phantom.volume, work / "scan.nii.gz")
    tiny_weights(work / "tiny.safetensors")
    data = folder_config(write_folder(work / "data")).model_dump(mode="json", exclude_unset=True)
    training = {"epochs": 1, "batch_size": 4, "workers": 0, "accelerator": "cpu"}
    content = {
        "run": {"folder": str(work / "run")},
        "model": {"name": "rma-mamba-n", "settings": {**SETTINGS, "depths": [1, 1, 1, 1]}},
        "training": training,
        "data": {**data, "slices_per_epoch": 4},
    }
    (work / "recipe.toml").write_text(to_toml(content))
    yield work
    shutil.rmtree(work)


def run(work: Path, condition: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command under a condition; skips where this machine cannot make it."""
    prefix, changes = CONDITIONS[condition]
    prefix = tuple(str(work) if part == "{work}" else part for part in prefix)
    if prefix:
        probe = subprocess.run([*prefix, sys.executable, "-c", ""], capture_output=True, text=True)
        if probe.returncode:
            pytest.skip(f"namespaces are not available: {probe.stderr.strip()}")
    variables = dict(os.environ) | {"RMA_MAMBA_BACKEND": "reference"}
    for name in INHERITED:
        variables.pop(name, None)
    for name, value in changes.items():
        variables.pop(name, None)
        if value is not None:
            place = work / value if value.startswith(READ_ONLY) else value
            variables[name] = str(place)
    command = [*prefix, sys.executable, "-m", "rma_mamba", *arguments]
    return subprocess.run(
        command, env=variables, cwd=work, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("condition", CONDITIONS)
def test_segment_writes_a_report_in_bare_environments(
    work: Path, tmp_path: Path, condition: str
) -> None:
    out = work / tmp_path.name
    arguments = ["segment", "-i", str(work / "scan.nii.gz"), "-m", str(work / "tiny.safetensors")]
    done = run(work, condition, *arguments, "-o", str(out), "--report", "-q")
    assert done.returncode == 0, done.stderr
    assert {"liver.nii.gz", "report.html", "report.pdf"} <= {file.name for file in out.rglob("*")}
    assert "atplotlib" not in done.stderr


@pytest.mark.parametrize("condition", [READ_ONLY_HOME, NOTHING])
def test_train_writes_weights_in_bare_environments(
    work: Path, tmp_path: Path, condition: str
) -> None:
    out = work / tmp_path.name
    recipe = str(work / "recipe.toml")
    done = run(work, condition, "train", recipe, "--set", f"run.folder={out}")
    assert done.returncode == 0, done.stderr
    assert {"weights.safetensors", "curves.png"} <= {file.name for file in out.iterdir()}
