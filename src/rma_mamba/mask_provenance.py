"""How a mask was made, as the DICOM objects state it: by a program, by a person, or by both.

The UIDs of these objects are derived from it, so that the same mask made again has the same UIDs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, get_args

from rma_mamba.conventions import SOFTWARE_NAME, software_version
from rma_mamba.errors import ConfigError

MaskKind = Literal["automatic", "semiautomatic", "manual"]
MASK_KINDS: tuple[MaskKind, ...] = get_args(MaskKind)

_MAX_NAME = 64  # characters of a DICOM string (LO, PN)


@dataclass(frozen=True)
class MaskRemarks:
    """What the reader of a mask must be told.

    Args:
        light: Traffic light of its quality.
        flags: Code and severity of each quality flag.
        sentences: Everything as text: quality, flags, repairs of the scan, warnings.
    """

    light: Literal["green", "yellow", "red"]
    flags: tuple[tuple[str, str], ...] = ()
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class MaskProvenance:
    """How a mask was made, and what must be known about it.

    Args:
        kind: "automatic": by a program; "semiautomatic": by a program, corrected by a person; "manual": by a person.
        creator: Name of the person who made or corrected the mask; None: not stated.
        algorithm: Name of the program; None if it is unknown, and for a mask drawn by hand.
        version: Version of the program; None if it is unknown. That of this program is filled in.
        weights_sha256: SHA-256 of the weights of its network; None if there is none, or if it is unknown.
        settings: Settings that, with the scan and the weights, determine the mask; empty if they are unknown, or if the
            mask was corrected.
        remarks: Quality and warnings; None if they are unknown, or if the mask was corrected since.

    Raises:
        ConfigError: The kind is none of these, or a name cannot be written to a DICOM object.

    Example:
        >>> provenance = MaskProvenance().corrected("Roe^Jane")
        >>> provenance.kind, provenance.creator, provenance.algorithm
        ('semiautomatic', 'Roe^Jane', 'rma-mamba')
    """

    kind: MaskKind = "automatic"
    creator: str | None = None
    algorithm: str | None = SOFTWARE_NAME
    version: str | None = None
    weights_sha256: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    remarks: MaskRemarks | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in MASK_KINDS:
            raise ConfigError(
                f"the mask is '{self.kind}'; expected {', '.join(MASK_KINDS)}. Choose one of these."
            )
        for name in ("creator", "algorithm", "version"):
            value = " ".join((getattr(self, name) or "").split())
            _check_name(name, value)
            object.__setattr__(self, name, value or None)
        if self.kind == "manual":
            object.__setattr__(self, "algorithm", None)
        if self.algorithm is None:
            object.__setattr__(self, "version", None)
        elif self.version is None and self.algorithm == SOFTWARE_NAME:
            object.__setattr__(self, "version", software_version())

    def corrected(self, creator: str | None = None) -> Self:
        """The provenance of the mask after a person has corrected it: a mask drawn by hand remains one.

        Args:
            creator: Name of that person; None: not stated.
        """
        kind: MaskKind = "manual" if self.kind == "manual" else "semiautomatic"
        return replace(self, kind=kind, creator=creator, settings={}, remarks=None)

    @property
    def is_reproducible(self) -> bool:
        """Whether scan, weights and settings alone determine the mask."""
        return self.kind == "automatic" and bool(self.weights_sha256 and self.settings)

    @property
    def identity(self) -> tuple[str, ...]:
        """What distinguishes this mask from others of the same scan, as text."""
        settings = json.dumps(self.settings, sort_keys=True, default=str)
        stated = (self.kind, self.creator, self.algorithm, self.version, self.weights_sha256)
        return (*(each or "" for each in stated), settings)


def _check_name(name: str, value: str) -> None:
    """Check that a name fits into a DICOM string, where backslash and equals sign separate values."""
    if len(value) > _MAX_NAME or any(each in "\\=" or not each.isprintable() for each in value):
        raise ConfigError(
            f"the {name} of the mask has {len(value)} characters, or a backslash, an equals sign or a control "
            f"character; expected at most {_MAX_NAME} printable characters without these. Shorten or correct it."
        )
