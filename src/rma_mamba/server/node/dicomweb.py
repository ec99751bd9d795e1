"""DICOMweb: fetch a study by WADO-RS, send objects by STOW-RS, ask by QIDO-RS (DICOM PS3.18)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rma_mamba.errors import ConfigError, ScanError
from rma_mamba.extras import require_extra
from rma_mamba.scans.dicom_exchange import has_failures, read_object, write_object
from rma_mamba.server.node.results_to_send import (
    NotNowError,
    RejectedError,
    SentObject,
    UnreachableError,
)

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

_CHUNK_BYTES = 2**26  # larger than most objects: not every server accepts chunks
_STORED_SYNTAX = (("application/dicom", "*"),)  # as stored, not decompressed for us
_NOT_FOUND, _SERVER_ERROR = 404, 500
_NOT_NOW = (401, 403, _NOT_FOUND, 407, 408, 429)  # credentials, address, load: not the object
_URL = re.compile(
    r"(?P<service>https?://[^\s/@?#]+(/[^\s?#]*?)?)/studies/(?P<study>[\d.]{1,64})"
    r"(/series/(?P<series>[\d.]{1,64}))?/?"
)


@dataclass(frozen=True)
class Credentials:
    """User and password for HTTP Basic authentication, or a bearer token."""

    user: str | None = None
    password: str | None = None
    token: str | None = None


@dataclass(frozen=True)
class Service:
    """A DICOMweb service.

    Args:
        url: Base URL.
        credentials: For authentication.
        authorities: Certificates that the server's must be signed by; None: the usual ones.
        certificate: Certificate and key of this side, if the server asks for one.
        timeout_s: Longest time to wait for an answer.
    """

    url: str
    credentials: Credentials = Credentials()
    authorities: Path | None = None
    certificate: tuple[Path, Path] | None = None
    timeout_s: float = 30.0

    def client(self) -> DICOMwebClient:
        """A client for some requests.

        Raises:
            BackendError: The library is not installed.
        """
        require_extra("dicomweb_client", "dicom", "DICOMweb")
        import requests
        from dicomweb_client import DICOMwebClient

        for name in ("dicomweb_client", "urllib3", "pydicom"):  # they quote URLs and elements
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        session = requests.Session()
        known = self.credentials
        if known.user is not None:
            session.auth = (known.user, known.password or "")
        elif known.token is not None:
            session.headers["Authorization"] = f"Bearer {known.token}"
        if self.authorities is not None:
            session.verify = str(self.authorities)
        if self.certificate is not None:
            session.cert = (str(self.certificate[0]), str(self.certificate[1]))
        client = DICOMwebClient(
            self.url.rstrip("/"), session, chunk_size=_CHUNK_BYTES, timeout=self.timeout_s
        )
        client.set_http_retry_params(retry=False)  # the queue decides when to try again
        return client


@dataclass(frozen=True)
class StudyAddress:
    """A study or a series of a DICOMweb service, as in "http://localhost:8042/dicom-web/studies/1.2.3".

    Args:
        service: Base URL.
        study: StudyInstanceUID.
        series: SeriesInstanceUID; None: the whole study.
    """

    service: str
    study: str
    series: str | None = None

    @classmethod
    def parse(cls, text: str) -> StudyAddress:
        """The address in a URL.

        Raises:
            ConfigError: It is not the URL of a study or series.
        """
        found = _URL.fullmatch(text.strip())
        if found is None:
            raise ConfigError(
                "the DICOMweb address is not that of a study; expected URL/studies/UID or URL/studies/UID/series/UID "
                "with numeric UIDs, and without user and password. Correct the address."
            )
        return cls(found["service"], found["study"], found["series"])


def fetch(address: StudyAddress, service: Service, folder: Path) -> int:
    """Write the images of a study or series to a folder, as they are stored; their number.

    Raises:
        ScanError: The service does not answer or does not have them, or a file cannot be written.
        BackendError: The library is not installed.
    """
    client = service.client()
    count = 0
    try:
        with _http_errors():
            for count, dataset in enumerate(_instances(client, address), 1):
                write_object(dataset, folder / f"{count:06}.dcm")
    except RejectedError as error:
        raise ScanError(
            f"the study cannot be fetched ({error}); expected it in the archive. Check the address and the credentials."
        ) from None
    except UnreachableError as error:
        raise ScanError(
            f"the study cannot be fetched ({error}); expected a DICOMweb service. Check the address, and whether the "
            "archive is running."
        ) from None
    if not count:
        raise ScanError(
            "the archive has no images of this study; expected some. Check the UID in the address."
        )
    return count


def _instances(client: DICOMwebClient, address: StudyAddress) -> Iterator[Any]:
    if address.series is None:
        return client.iter_study(address.study, media_types=_STORED_SYNTAX)
    return client.iter_series(address.study, address.series, media_types=_STORED_SYNTAX)


class DicomwebDestination:
    """An archive with a DICOMweb service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def connect(self, objects: Sequence[SentObject]) -> DicomwebConnection:
        """A client; errors as in the protocol."""
        return DicomwebConnection(self._service.client())

    def echo(self) -> None:
        """Ask for one study, which needs no permission to write; errors as in the protocol."""
        with _http_errors():
            self._service.client().search_for_studies(limit=1)


class DicomwebConnection:
    """A client with its connections."""

    def __init__(self, client: DICOMwebClient) -> None:
        self._client = client

    def send(self, sent: SentObject) -> None:
        """STOW-RS; errors as in the protocol."""
        with _http_errors():
            answer = self._client.store_instances([read_object(sent.path)])
        if has_failures(answer):
            raise RejectedError("STOW-RS: not stored")

    def holds(self, sent: SentObject) -> bool | None:
        """QIDO-RS for the instance."""
        try:
            with _http_errors():
                found = self._client.search_for_instances(
                    sent.study, sent.series, search_filters={"SOPInstanceUID": sent.instance}
                )
        except RejectedError as error:
            return False if str(_NOT_FOUND) in str(error) else None
        return bool(found)

    def close(self) -> None:
        """Close the connections."""
        self._client._session.close()


@contextmanager
def _http_errors() -> Iterator[None]:
    """Turn errors of the library into those of the protocol, without the URL, which contains UIDs."""
    import requests

    try:
        yield
    except requests.HTTPError as error:
        code = error.response.status_code if error.response is not None else _SERVER_ERROR
        if code >= _SERVER_ERROR:
            raise UnreachableError(f"HTTP status {code}") from None
        rejection = NotNowError if code in _NOT_NOW else RejectedError
        raise rejection(f"HTTP status {code}") from None
    except requests.exceptions.SSLError:
        raise UnreachableError("the certificate is not trusted") from None
    except requests.RequestException as error:
        raise UnreachableError(f"no answer, {type(error).__name__}") from None
    except (OSError, ScanError):
        raise
    except Exception as error:  # an answer that is not DICOMweb
        raise RejectedError(f"not an answer of DICOMweb, {type(error).__name__}") from None
