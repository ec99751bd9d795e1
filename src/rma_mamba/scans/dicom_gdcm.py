"""A decoder of pydicom that decodes JPEG Lossless in another process; see `gdcm_worker`."""

from __future__ import annotations

from pathlib import Path

from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.pixels.decoders.gdcm import is_available as gdcm_is_available
from pydicom.uid import JPEGLossless, JPEGLosslessSV1

from rma_mamba.scans.stream import read_exactly
from rma_mamba.scans.worker_process import IsolatedLibrary, WorkerError

PLUGIN = "gdcm in another process"
GDCM = IsolatedLibrary(Path(__file__).with_name("gdcm_worker.py"), "GDCM")

# The interface of a plugin of pydicom: a module with these two names, and a function.
DECODER_DEPENDENCIES = {JPEGLossless: ("gdcm>=3.0.10",), JPEGLosslessSV1: ("gdcm>=3.0.10",)}
is_available = gdcm_is_available


def register() -> None:
    """Make the decoder known to pydicom; once is enough."""
    for syntax in DECODER_DEPENDENCIES:
        decoder = get_decoder(syntax)
        if PLUGIN not in decoder.available_plugins:
            decoder.add_plugin(PLUGIN, (__name__, decode_frame.__name__))


def decode_frame(encoded: bytes, runner: DecodeRunner) -> bytes:
    """The pixels of one image.

    Raises:
        ValueError: GDCM raised an exception or aborted.
        BackendError: GDCM cannot be imported.
    """
    request = {
        "size": len(encoded),
        "columns": runner.columns,
        "rows": runner.rows,
        "photometric": str(runner.photometric_interpretation),
        "syntax": str(runner.transfer_syntax),
        "bits_allocated": runner.bits_allocated,
        "bits_stored": runner.bits_stored,
        "signed": runner.pixel_representation,
    }
    try:
        with GDCM.session() as process:
            answer = process.ask(request, encoded)
            return read_exactly(process.stdout, answer["size"]).tobytes()
    except WorkerError as error:
        raise ValueError from error
