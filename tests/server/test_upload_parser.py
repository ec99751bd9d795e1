"""Multipart bodies in pieces of any size, and names that lead elsewhere."""

from pathlib import Path, PurePosixPath

import pytest
from fastapi import HTTPException

from rma_mamba.errors import ConfigError
from rma_mamba.server.upload_parser import UploadParser, boundary_of, safe_path


def body(*files: tuple[str, bytes], boundary: str = "XX") -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in files
    ]
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def parse(folder: Path, content: bytes, piece: int = 7, max_files: int = 10) -> UploadParser:
    parser = UploadParser(b"XX", folder, max_files)
    try:
        for start in range(0, len(content), piece):
            parser.write(content[start : start + piece])
        parser.finish()
    finally:
        parser.close()
    return parser


@pytest.mark.parametrize("piece", [1, 3, 64, 10_000])
def test_files_are_written_as_they_were_sent(tmp_path: Path, piece: int) -> None:
    files = (("a/one.dcm", b"\r\n--X\r\n" * 50), ("b.nii.gz", bytes(range(256))), ("c", b""))
    parse(tmp_path, body(*files), piece)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in written}
    assert found == dict(files)


@pytest.mark.parametrize(
    "name",
    [
        *("../evil", "a/../../evil", "/etc/passwd", "..\\evil", "C:\\evil", "C:evil", "a/..", ".."),
        *("\\\\server\\evil", "a\x00b", "a\nb", "x" * 300, "/".join("a" * 20), "", ".", "a/C:/b"),
    ],
)
def test_a_name_that_leads_elsewhere_is_not_a_path(name: str) -> None:
    path = safe_path(name)
    assert path is None or (not path.is_absolute() and ".." not in path.parts)
    if name not in ("", "."):
        assert path is None


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b.dcm", "a/b.dcm"),
        ("a\\b.dcm", "a/b.dcm"),
        ("./a//b", "a/b"),
        ("Müller (1)/ü.nii", "Müller (1)/ü.nii"),
        ("...", "..."),
    ],
)
def test_folders_and_letters_of_names_are_kept(name: str, path: str) -> None:
    assert safe_path(name) == PurePosixPath(path)


def test_files_with_such_names_are_skipped_and_listed(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    parser = parse(inside, body(("../evil", b"x"), ("good", b"y"), ("good", b"z"), ("good/a", b"")))
    assert [each["name"] for each in parser.skipped.listed] == ["../evil", "good", "good/a"]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["good"]
    assert (inside / "good").read_bytes() == b"y"


def test_hidden_files_are_omitted(tmp_path: Path) -> None:
    parser = parse(tmp_path, body((".DS_Store", b"x"), ("a/._b.dcm", b"x"), ("__MACOSX/c", b"x")))
    assert not parser.files
    assert not parser.skipped.listed


def test_more_files_than_the_limit_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(HTTPException, match="more than 2 files"):
        parse(tmp_path, body(*((str(n), b"") for n in range(3))), max_files=2)


@pytest.mark.parametrize(
    "content",
    [
        body(("a", b"x"))[:-10],
        b"nonsense",
        b"",
        b"--XX\r\n" + b"a" * 20_000,
        b"--XX\r\nContent-Disposition: " + b"b" * 20_000,
        body(("a", b"x"), boundary="YY"),
    ],
)
def test_an_incomplete_or_corrupt_body_is_rejected(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigError, match="incomplete or corrupt"):
        parse(tmp_path, content, 1000)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "multipart/form-data", "multipart/mixed; boundary=a"]
)
def test_another_kind_of_body_has_no_boundary(kind: str) -> None:
    with pytest.raises(ConfigError, match="not multipart"):
        boundary_of(kind)
    assert boundary_of('multipart/form-data; boundary="a b"') == b"a b"
