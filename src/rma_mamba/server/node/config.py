"""The settings of the node: who may send, what is segmented, and where the results go."""

from __future__ import annotations

import os
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from rma_mamba.datasets.settings import Positive, Settings
from rma_mamba.errors import ConfigError
from rma_mamba.pipeline.request import NetworkOptions
from rma_mamba.server.node.series_rules import SeriesRule
from rma_mamba.setting_errors import as_config_error
from rma_mamba.training.bundled_toml import read_toml

PRESETS = "server/node/presets"  # bundled configurations
ANY_CALLER = "*"

# DICOM PS3.5 6.2: at most 16 characters, no backslash, no control character; spaces around it have no meaning.
AeTitle = Annotated[str, StringConstraints(pattern=r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$")]
Port = Annotated[int, Field(ge=1, le=65535)]
SentObject = Literal["dicom_seg", "dicom_sr", "dicom_rtstruct", "dicom_sc", "dicom_pdf"]


class TlsConfig(Settings):
    """Certificates of TLS 1.2 or newer, as PEM files; paths are relative to the configuration."""

    certificate: Path | None = None
    """Certificate of the node. The listener requires one; a destination only if it asks for one."""

    key: Path | None = None
    """Private key of the certificate."""

    authorities: Path | None = None
    """Certificates of the authorities that must have signed the certificate of the other side. For the listener, None
    accepts callers without a certificate; for a destination, None means the authorities of the system."""

    @model_validator(mode="after")
    def _check_pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("expected both 'certificate' and 'key', or neither")
        return self


class ListenerConfig(Settings):
    """The C-STORE listener, and the folder of the queue."""

    ae_title: AeTitle = "RMA_MAMBA"
    """AE title of the node; associations that call another title are rejected."""

    host: str = "127.0.0.1"
    """Address to listen on. The default accepts connections of this machine only; "0.0.0.0" accepts others."""

    port: Port = 11112
    """TCP port."""

    tls: TlsConfig | None = None
    """Encrypt connections. None: plain DICOM, as most archives expect."""

    folder: Path = Path("rma-mamba-node")
    """Folder of received images, results and the queue; it contains patient data, and is created with access for the
    owner only. Relative to the configuration; of a bundled one, to the current folder."""

    quiet_seconds: Positive = 5.0
    """A study is complete when no image of it has arrived for this long, or for four times as long while the connection
    that sent it is still open. Its results are not sent earlier."""

    start_seconds: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Segmentation starts when no image of the study has arrived for this long. If others follow, it starts again."""

    max_associations: int = Field(default=20, ge=1)
    """Connections at the same time; more are rejected until one ends."""

    min_free_gb: float = Field(default=2.0, ge=0, allow_inf_nan=False)
    """Images are rejected with the status "out of resources" while the disk has less free space."""

    keep_hours: float = Field(default=24.0, ge=0, allow_inf_nan=False)
    """Images and results of a completed study are removed after this time. Those of a failed study stay."""

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if self.tls is not None and self.tls.certificate is None:
            raise ValueError("'tls' of the listener has no 'certificate'; expected one")
        return self

    @property
    def is_local(self) -> bool:
        """Whether it is reachable from this machine only."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class CallerConfig(Settings):
    """An application that may send studies."""

    ae_title: AeTitle
    """Its AE title; "*" allows every title."""

    host: str | None = None
    """Its IP address. None: any."""

    def allows(self, ae_title: str, address: str) -> bool:
        """Whether an association from this title and address is allowed."""
        named = self.ae_title in (ANY_CALLER, ae_title)
        return named and self.host in (None, address)


class DestinationConfig(Settings):
    """Where results are sent: by C-STORE to `ae_title`, `host` and `port`, or by STOW-RS to `url`."""

    name: str = Field(default="", max_length=32, pattern=r"^[\w.-]*$")
    """Name in the log and the metrics. Empty: the AE title or the host of the URL."""

    ae_title: AeTitle | None = None
    """AE title of the archive (C-STORE)."""

    host: str | None = None
    """Host name or address of the archive (C-STORE)."""

    port: Port = 104
    """DICOM port of the archive (C-STORE)."""

    url: str | None = Field(default=None, pattern=r"^https?://[^\s/@]+(/\S*)?$")
    """Base URL of the archive's DICOMweb service (STOW-RS), such as "http://localhost:8042/dicom-web". Credentials
    do not belong here: see `user` and `token_file`."""

    user: str | None = None
    """User name for HTTP Basic authentication; the password is in `password_file`."""

    password_file: Path | None = None
    """File with the password on its first line."""

    token_file: Path | None = None
    """File with a bearer token on its first line."""

    tls: TlsConfig | None = None
    """Certificates. None: plain DICOM, or for an https URL the authorities of the system."""

    objects: tuple[SentObject, ...] = Field(default=("dicom_seg", "dicom_sr"), min_length=1)
    """What is sent: dicom_seg, dicom_sr, dicom_rtstruct; for viewers without these, dicom_sc (preview as a secondary
    capture image) and dicom_pdf (report)."""

    @model_validator(mode="after")
    def _check_protocol(self) -> Self:
        by_store = self.ae_title is not None or self.host is not None
        if by_store == (self.url is not None):
            raise ValueError("expected either 'url', or 'ae_title', 'host' and 'port'")
        if by_store and (self.ae_title is None or self.host is None):
            raise ValueError("expected both 'ae_title' and 'host'")
        if (self.user is None) != (self.password_file is None):
            raise ValueError("expected both 'user' and 'password_file', or neither")
        return self

    @property
    def label(self) -> str:
        """Name in the log, the metrics and the queue."""
        if self.name or self.url is None:
            return self.name or str(self.ae_title)
        return self.url.split("/")[2].partition(":")[0]


class DeliveryConfig(Settings):
    """Retries, if a destination cannot be reached or rejects an object."""

    first_retry_seconds: Positive = 5.0
    """Time to the second attempt; it doubles with each further one."""

    max_retry_seconds: Positive = 300.0
    """Longest time between two attempts."""

    give_up_hours: Positive = 72.0
    """The delivery has failed if the destination has not taken the object for this long."""

    timeout_seconds: Positive = 30.0
    """Longest time to wait for an answer."""

    def pause_s(self, tries: int) -> float:
        """Seconds until the next attempt, after `tries` of them."""
        doublings = min(tries - 1, 30)
        return float(min(self.first_retry_seconds * 2**doublings, self.max_retry_seconds))


class SegmentationConfig(Settings):
    """The network and how it runs, as for `rma-mamba segment`."""

    model: str = "default"
    """Bundled weights, or a weights file."""

    device: str = "auto"
    """auto, cpu, gpu, cuda, cuda:N or mps."""

    batch_size: int | None = Field(default=None, ge=1)
    """Slices per batch. None: chosen to fit in memory."""

    fast: bool = False
    """Skip multi-scale test-time augmentation: faster, slightly less accurate."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of matrix multiplications."""

    strict: bool = False
    """Reject series that need repair."""

    max_tries: int = Field(default=3, ge=1)
    """A study fails after this many crashes; one whose images cannot be segmented fails at once."""

    @property
    def network(self) -> NetworkOptions:
        """The options of the network."""
        return NetworkOptions(self.model, self.device, self.batch_size, self.fast, self.precision)


class MetricsConfig(Settings):
    """Metrics for Prometheus over HTTP."""

    host: str = "127.0.0.1"
    """Address to listen on. The default answers this machine only."""

    port: Port | None = 9112
    """TCP port. None: no metrics."""


class NodeConfig(Settings):
    """All settings of `rma-mamba node`."""

    listener: ListenerConfig = ListenerConfig()
    """The C-STORE listener."""

    callers: tuple[CallerConfig, ...] = Field(min_length=1)
    """Who may send; at least one. All others are rejected."""

    destinations: tuple[DestinationConfig, ...] = Field(min_length=1)
    """Where results are sent; at least one."""

    rules: tuple[SeriesRule, ...] = ()
    """Which series are segmented: the first rule that a series of the study matches decides. Without rules, the series
    that `rma-mamba segment` would choose."""

    segmentation: SegmentationConfig = SegmentationConfig()
    """The network."""

    delivery: DeliveryConfig = DeliveryConfig()
    """Retries."""

    metrics: MetricsConfig = MetricsConfig()
    """Metrics for Prometheus."""

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        labels = [each.label for each in self.destinations]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise ValueError(
                f"two destinations are called '{twice}'; expected a 'name' of its own for each"
            )
        return self

    @property
    def objects(self) -> tuple[str, ...]:
        """The output types that any destination takes."""
        return tuple(dict.fromkeys(name for each in self.destinations for name in each.objects))


def load_config(source: str | Path) -> NodeConfig:
    """Read a TOML file, or a bundled configuration by its name ("orthanc"), and make its paths absolute.

    Raises:
        ConfigError: The file cannot be read, or a setting is invalid.
    """
    content = read_toml(source, PRESETS, "configuration")
    try:
        config = NodeConfig.model_validate(content)
    except ValidationError as error:
        raise as_config_error(error, NodeConfig, "the configuration") from None
    folder = Path(source).resolve().parent if Path(source).is_file() else Path.cwd()
    located = _located(config, folder)
    _check_files(located)
    return located


def configuration_text(source: str | Path) -> str:
    """The text of a configuration file, or of a bundled configuration.

    Raises:
        ConfigError: It cannot be read, or is not valid TOML.
    """
    read_toml(source, PRESETS, "configuration")
    path = Path(source)
    bundled = files("rma_mamba") / PRESETS / f"{source}.toml"
    return (path if path.is_file() else bundled).read_text("utf-8")


def _located(config: NodeConfig, folder: Path) -> NodeConfig:
    """The settings with each path made absolute."""

    def resolve(settings: Settings) -> dict[str, object]:
        changes: dict[str, object] = {}
        for name, value in settings:
            if isinstance(value, Path):
                changes[name] = folder / value
            elif isinstance(value, Settings):
                changes[name] = value.model_copy(update=resolve(value))
        return changes

    destinations = tuple(each.model_copy(update=resolve(each)) for each in config.destinations)
    return config.model_copy(update={**resolve(config), "destinations": destinations})


def _check_files(config: NodeConfig) -> None:
    """Check that certificates and credentials can be read."""
    settings = [
        config.listener.tls,
        *config.destinations,
        *(each.tls for each in config.destinations),
    ]
    for each in filter(None, settings):
        for name, path in each:
            if isinstance(path, Path) and not (path.is_file() and os.access(path, os.R_OK)):
                raise ConfigError(
                    f"'{name}' of the configuration is not a readable file; expected one. "
                    "Paths are relative to the configuration: correct it."
                )
