"""Parsing of DICOM files: header only, corrupt files detected.

Source: DICOM PS3.10 (file format).
"""

from __future__ import annotations

import logging
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import pydicom
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from rma_mamba.scans.dicom_image import FUNCTIONAL_GROUPS, TAGS, DicomImage
from rma_mamba.scans.formats import has_dicom_prefix, is_dicom_without_preamble
from rma_mamba.scans.input_files import InputFile

# Larger than any multi-frame object: a deflated file with more content is a decompression bomb.
_MAX_INFLATED_BYTES = 2**31
_CHUNK_BYTES = 2**22

# File meta information: its first element is the length of the group (PS3.10 section 7.1).
_META_BYTES = 2048
_GROUP_LENGTH = b"\x02\0\0\0UL\x04\0"
_DEFLATED = DeflatedExplicitVRLittleEndian.encode()


@contextmanager
def pydicom_messages_suppressed() -> Iterator[None]:
    """Suppress warnings and log messages of pydicom: they quote element values, including patient names."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.setLevel(level)


@dataclass(frozen=True)
class ParsedFile:
    """A file that may be DICOM.

    Args:
        image: Its header; None if the file is not DICOM, corrupt or incomplete.
        is_dicom: Whether it is DICOM at all, even if corrupt.
        lacking: The element that an otherwise intact header lacks; else "".
    """

    image: DicomImage | None
    is_dicom: bool
    lacking: str = ""


def parse_file(file: InputFile) -> ParsedFile:
    """Read the header of a file if it is DICOM."""
    with file.open() as stream:
        head = stream.read(132)
        has_prefix = has_dicom_prefix(head)
        if not (has_prefix or is_dicom_without_preamble(head)):
            return ParsedFile(None, False)
        stream.seek(0)
        try:
            return _parse(file, stream, has_prefix)
        except (MemoryError, OSError):
            raise
        except Exception:  # pydicom raises exceptions of any type for corrupt bytes
            return ParsedFile(None, has_prefix)


def _parse(file: InputFile, stream: BinaryIO, has_prefix: bool) -> ParsedFile:
    check_deflated_size(stream)
    tags: list[Any] = [*TAGS, *FUNCTIONAL_GROUPS]
    header = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=tags)
    meta = header.get("file_meta", {})
    if meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        return ParsedFile(None, False)
    image = DicomImage(file, header, _transfer_syntax(header))
    # pydicom reads a deflated file to its end, so its stream position does not show whether pixel data follow
    at_end = image.syntax != DeflatedExplicitVRLittleEndian and not stream.read(1)
    is_dicom = has_prefix or image.is_slice
    if image.has_pixels and not (at_end and image.is_slice):
        return ParsedFile(image, is_dicom)
    if has_prefix and image.is_non_image:
        return ParsedFile(image, is_dicom)
    return ParsedFile(None, is_dicom, _lacking(image, at_end))


def _lacking(image: DicomImage, at_end: bool) -> str:
    """The element that keeps a file with pixel data, or with a whole header, from being an image."""
    if image.has_pixels:
        return "PixelData"
    return "" if at_end else "Rows" if image.integer("Rows") <= 0 else "Columns"


def check_deflated_size(stream: BinaryIO) -> None:
    """Reject a deflated file whose decompressed size is implausible; then rewind the stream.

    Raises:
        ValueError: The size is implausible, or the start of the deflated part is unknown.
    """
    head = stream.read(_META_BYTES)
    stream.seek(0)
    if not has_dicom_prefix(head) or _DEFLATED not in head:
        return
    if not head[132:].startswith(_GROUP_LENGTH):
        raise ValueError
    stream.seek(144 + int.from_bytes(head[140:144], "little"))
    decompressor, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while data := decompressor.unconsumed_tail or stream.read(_CHUNK_BYTES):
        size += len(decompressor.decompress(data, _CHUNK_BYTES))
        if size > _MAX_INFLATED_BYTES:
            raise ValueError
    stream.seek(0)


def _transfer_syntax(dataset: pydicom.Dataset) -> UID:
    """The transfer syntax in the file meta information; without one the file is uncompressed."""
    syntax = dataset.get("file_meta", {}).get("TransferSyntaxUID")
    if syntax:
        return UID(str(syntax))
    implicit, _ = dataset.original_encoding
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
