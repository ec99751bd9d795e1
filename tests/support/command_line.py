"""A command line run in this process, and a segmenter without a network in place of the real one."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

import rma_mamba
from rma_mamba.cli.run import run
from rma_mamba.reporting import Measurements, Quality, measure
from rma_mamba.reporting.mask_evidence import NO_EVIDENCE, MaskEvidence
from rma_mamba.slicing import SliceRecipe, calibrated
from rma_mamba.slicing.calibration import CalibratedVolume
from rma_mamba.volume import Mask, Volume
from tiny import tiny_weights


@dataclass(frozen=True)
class Finished:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


@dataclass
class Result:
    """The attributes of a segmentation that the pipeline uses."""

    mask: Mask
    scan: CalibratedVolume
    warnings: tuple[str, ...] = ()
    probabilities: np.ndarray | None = None
    removed_implausible_ml: float = 0.0
    evidence: MaskEvidence = NO_EVIDENCE
    quality: Quality = field(default_factory=Quality)
    uncertainty: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(agreements={"tta": 0.9})
    )

    @property
    def modality(self) -> str:
        return self.scan.modality

    @property
    def measurements(self) -> Measurements:
        return measure(self.mask)

    @property
    def uncertainty_bits(self) -> np.ndarray | None:
        return self.probabilities


class FakeSegmenter:
    """Selects the voxels brighter than 500, and keeps the options of the last call."""

    failure: BaseException | None = None
    warnings: tuple[str, ...] = ()
    loaded: dict[str, object] | None = None
    modality: str | None = None
    weights_sha256 = "0" * 64
    recipe = SliceRecipe()
    device = "cpu"
    runtime = "torch"
    loads = 0

    @classmethod
    def load(
        cls,
        model="default",
        *,
        device="auto",
        batch_size=None,
        fast=False,
        precision="float32",
        runtime="auto",
    ) -> "FakeSegmenter":
        cls.loaded = {"model": model, "device": device, "batch_size": batch_size, "fast": fast}
        cls.loaded |= {"precision": precision, "runtime": runtime}
        cls.loads += 1
        return cls()

    def __call__(
        self, scan: Volume, *, modality=None, progress=None, keep_probabilities=False
    ) -> Result:
        type(self).modality = modality
        progress(1, 2)
        if self.failure is not None:
            raise self.failure
        progress(2, 2)
        labels = (scan.values > 500).astype(np.uint8)
        mask = Mask(labels, scan.geometry, scan.header, scan.source_images)
        likely = labels.astype(np.float32) if keep_probabilities else None
        return Result(mask, calibrated(scan, modality), self.warnings, likely)


@pytest.fixture
def segmenter(monkeypatch: pytest.MonkeyPatch) -> type[FakeSegmenter]:
    """A segmenter without network in place of the real one."""

    class Segmenter(FakeSegmenter):
        pass

    module = ModuleType("rma_mamba.inference")
    module.Segmenter = Segmenter  # type: ignore[attr-defined]
    module.__path__ = [
        str(Path(rma_mamba.__file__).with_name("inference"))
    ]  # its other modules are real
    monkeypatch.setitem(sys.modules, "rma_mamba.inference", module)
    return Segmenter


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """Run a command line in this process."""

    def call(*arguments: str | Path) -> Finished:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Finished(code, *capfd.readouterr())

    return call


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """An MR-like NIfTI file of 24x20x8 voxels whose bright box measures 3.2 mL."""
    values = np.full((24, 20, 8), 100, dtype=np.int16)
    values[8:16, 6:11, 2:6] = 1000
    path = tmp_path / "in" / "case_7.nii.gz"
    path.parent.mkdir()
    nib.save(nib.Nifti1Image(values, np.diag([2.0, 2.0, 5.0, 1.0])), path)
    return path


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Weights of a small real network."""
    return tiny_weights(tmp_path / "tiny.safetensors")
