"""One running server for all tests of a module, because its workers load a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tiny import tiny_weights
from viewer_server import Viewer, box_scan, nifti, viewer


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two scans, one of them in a folder named after a patient."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "Doe_John").mkdir()
    (folder / "first.nii.gz").write_bytes(nifti(box_scan()))
    (folder / "Doe_John" / "second.nii.gz").write_bytes(nifti(box_scan() + 5))
    return folder


@pytest.fixture(scope="module")
def server(weights: Path, served: Path) -> Iterator[Viewer]:
    with viewer(weights, served) as running:
        yield running


@pytest.fixture(scope="module")
def case(server: Viewer) -> str:
    """A case that was segmented."""
    opened = server.client.post("/api/open", json={"path": ""}).json()["cases"]
    assert server.wait(opened[0])["status"] == "done"
    return opened[0]
