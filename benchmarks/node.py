"""Measure the DICOM node: from the moment an archive sends a study until its SEG and SR are in the archive.

    python benchmarks/node.py                # three rounds, each beside `rma-mamba segment` with the same outputs
    python benchmarks/node.py --rounds 5 --quiet-seconds 2

It needs Orthanc (Debian's `orthanc`) and the extra `dicom`. The study is an MR phantom of 256 x 256 x 36.
The command includes the start of Python and loading the network; the node has both behind it, but waits
`quiet_seconds` for more images.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from measure import Timing, machine, table
from pydicom.uid import MRImageStorage, generate_uid

from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.volume import Volume

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from clinical_series import PATIENT
from dicom_series import ct_slice, save
from orthanc import free_port, orthanc

COMMAND = (sys.executable, "-m", "rma_mamba")
SLACK_S = 3.0  # the target: the time of `segment`, and this
LONGEST_S = 300.0


def main() -> None:
    """Run the rounds, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quiet-seconds", type=float, default=5.0)
    options = parser.parse_args()
    command, node = [], []
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        phantom = make_phantom(0, contrast="mr_t2").volume
        with archive(folder / "orthanc", port) as (http, dicom_port):
            config = _write_config(folder, port, dicom_port, options.quiet_seconds)
            with running_node(config, folder):
                for number in range(options.rounds):
                    study = write_study(folder / f"study{number}", phantom)
                    command.append(_timed(lambda study=study: segment(study)))
                    name = add_study(http, study)
                    node.append(_timed(lambda name=name: send_and_wait(http, name)))
    print(machine())
    print(report(Timing(tuple(command)), Timing(tuple(node)), options.quiet_seconds))


def report(command: Timing, node: Timing, quiet_s: float) -> str:
    """The table of both times."""

    def row(name: str, timing: Timing, target: str) -> list[object]:
        runs = ", ".join(f"{each:.1f}" for each in timing.seconds)
        return [name, f"{timing.median:.1f} s ({runs})", target]

    target = f"{command.median + SLACK_S:.1f} s"
    rows = [
        row("rma-mamba segment -ot dicom_seg,dicom_sr", command, ""),
        row(
            f"node with quiet_seconds = {quiet_s:g}: study sent until SEG and SR are in the archive",
            node,
            target,
        ),
    ]
    return table(["median (runs)", "time", "target: at most"], rows)


def write_study(folder: Path, volume: Volume) -> Path:
    """A phantom as a new study: one file per slice."""
    values = np.asarray(volume.values)
    scaled = np.clip(values * (4000 / max(float(values.max()), 1.0)), 0, 4095).astype("<u2")
    geometry, series, study = volume.geometry, generate_uid(), generate_uid()
    to_lps = np.diag([-1.0, -1.0, 1.0])
    axes = to_lps @ (geometry.affine[:3, :3] / geometry.spacing_mm)
    slices = []
    for k in range(values.shape[2]):
        position = to_lps @ (geometry.affine @ [0, 0, k, 1])[:3]
        spacing = (geometry.spacing_mm[1], geometry.spacing_mm[0])
        data = ct_slice(scaled[:, :, k].T, position, [*axes[:, 0], *axes[:, 1]], spacing, k)
        for keyword, value in PATIENT.items():
            setattr(data, keyword, value)
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = MRImageStorage
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        data.Modality, data.SeriesInstanceUID, data.StudyInstanceUID = "MR", series, study
        data.SeriesDescription, data.SeriesNumber, data.InstanceNumber = "T2 axial", 3, k + 1
        data.RescaleIntercept, data.SliceThickness = 0, geometry.spacing_mm[2]
        data.Manufacturer, data.PatientPosition = "Phantom", "HFS"
        slices.append(data)
    return save(folder, slices)


@contextmanager
def archive(folder: Path, node_port: int) -> Iterator[tuple[str, int]]:
    """A running Orthanc that knows the node: its address over HTTP, and its DICOM port."""
    port = free_port()
    settings = {
        "DicomServerEnabled": True,
        "DicomAet": "ORTHANC",
        "DicomPort": port,
        "DicomModalities": {"node": ["RMA_MAMBA", "127.0.0.1", node_port]},
    }
    with orthanc(folder, **settings) as http:
        yield http, port


def _write_config(folder: Path, port: int, archive_port: int, quiet_s: float) -> Path:
    path = folder / "node.toml"
    path.write_text(
        f'[listener]\nport = {port}\nfolder = "queue"\nquiet_seconds = {quiet_s}\nmin_free_gb = 0\n'
        '[[callers]]\nae_title = "ORTHANC"\n'
        f'[[destinations]]\nae_title = "ORTHANC"\nhost = "127.0.0.1"\nport = {archive_port}\n'
        '[metrics]\nport = "none"\n'
    )
    return path


@contextmanager
def running_node(config: Path, folder: Path) -> Iterator[None]:
    """The node, once its network is loaded."""
    log = folder / "queue" / "audit.jsonl"
    with subprocess.Popen([*COMMAND, "node", "-q", str(config)]) as node:
        try:
            _wait(lambda: log.exists() and '"started"' in log.read_text())
            yield
        finally:
            node.terminate()


def segment(study: Path) -> None:
    """The command, with the same outputs."""
    out = study.with_name(f"{study.name}-results")
    arguments = ["segment", "-q", "-i", str(study), "-o", str(out), "-ot", "dicom_seg,dicom_sr"]
    subprocess.run([*COMMAND, *arguments], check=True)


def add_study(http: str, study: Path) -> str:
    """Put a study into the archive, and return its name there."""
    for file in sorted(study.iterdir()):
        added = json.loads(_request(f"{http}/instances", file.read_bytes()))
    return str(added["ParentStudy"])


def send_and_wait(http: str, study: str) -> None:
    """Let the archive send a study to the node, and wait for SEG and SR in the same study."""
    _request(f"{http}/modalities/node/store", study.encode())
    _wait(lambda: {"SEG", "SR"} <= _modalities(http, study))


def _modalities(http: str, study: str) -> set[str]:
    series = json.loads(_request(f"{http}/studies/{study}/series"))
    return {each["MainDicomTags"]["Modality"] for each in series}


def _request(url: str, content: bytes | None = None) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, content), timeout=60) as answer:
        found: bytes = answer.read()
    return found


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST_S
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("nothing happened for five minutes; expected the node to work")
        time.sleep(0.05)


def _timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
