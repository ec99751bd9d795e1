"""Addresses of archives on the command line: AETITLE@HOST:PORT, or dicomweb:URL."""

from __future__ import annotations

import os
import re

from pydantic import ValidationError

from rma_mamba.errors import ConfigError
from rma_mamba.server.node.config import DestinationConfig
from rma_mamba.server.node.dicomweb import Credentials

DICOMWEB = "dicomweb:"
_DIMSE = re.compile(
    r"(?P<ae_title>[^@]{1,16})@(?P<host>\[[\da-fA-F:]+\]|[^:@/\s]+):(?P<port>\d{1,5})"
)
_VARIABLE = "RMA_MAMBA_DICOMWEB_"


def destinations_of(
    text: str | None, objects: tuple[str, ...] = ()
) -> tuple[DestinationConfig, ...]:
    """The archive of an option; none if the option is not set.

    Args:
        text: The address.
        objects: The output types that it takes; empty: DICOM SEG and SR.

    Raises:
        ConfigError: It is not an address.
    """
    if text is None:
        return ()
    if text.startswith(DICOMWEB):
        fields: dict[str, object] = {"url": text.removeprefix(DICOMWEB).rstrip("/")}
    elif found := _DIMSE.fullmatch(text):
        fields = {
            "ae_title": found["ae_title"],
            "host": found["host"].strip("[]"),
            "port": int(found["port"]),
        }
    else:
        raise _not_an_address()
    try:
        taken = {"objects": objects} if objects else {}
        return (DestinationConfig.model_validate({**fields, **taken}),)
    except ValidationError:
        raise _not_an_address() from None


def _not_an_address() -> ConfigError:
    return ConfigError(
        "the address of the archive cannot be used; expected AETITLE@HOST:PORT, such as ORTHANC@localhost:4242, or "
        "dicomweb:URL, such as dicomweb:http://localhost:8042/dicom-web, without user and password. Correct it."
    )


def credentials_of_environment() -> Credentials:
    """Credentials for DICOMweb from environment variables: on a command line, other users would see them."""
    user, password, token = (
        os.environ.get(_VARIABLE + name) for name in ("USER", "PASSWORD", "TOKEN")
    )
    return Credentials(user, password, token)
