"""Who may use a server, from the options of the command line: beyond this machine, only with a password and TLS."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from rma_mamba.errors import ConfigError
from rma_mamba.server.access_control import AccessRules
from rma_mamba.server.web_server import Binding

TOKEN_VARIABLE, PASSWORD_VARIABLE = "RMA_MAMBA_TOKEN", "RMA_MAMBA_PASSWORD"

_SHORTEST_TOKEN, _SHORTEST_PASSWORD = 32, 12


@dataclass(frozen=True)
class AccessChoice:
    """What the user has chosen.

    Args:
        password_file: A file with the password, in place of the environment variable.
        proxy_header: Header in which a reverse proxy names the user.
        proxies: Addresses of the reverse proxy.
    """

    password_file: Path | None = None
    proxy_header: str | None = None
    proxies: tuple[str, ...] = ()

    def rules(self, binding: Binding) -> AccessRules:
        """The rules, checked.

        Raises:
            ConfigError: The server would be open to others, or a secret is too short.
        """
        password = self._password()
        if not binding.is_local and password is None and self.proxy_header is None:
            raise ConfigError(
                "the server would be open to other machines; expected a password, or a reverse proxy that names its "
                "users. Set --password-file or --proxy-header, or leave out --listen."
            )
        if not binding.is_local and binding.certificate is None:
            raise ConfigError(
                "the server would send scans unencrypted to other machines; expected TLS. "
                "Set --tls-cert and --tls-key, or leave out --listen."
            )
        token = os.environ.get(TOKEN_VARIABLE)
        if token is not None:
            _check_length(token, _SHORTEST_TOKEN, f"the token in {TOKEN_VARIABLE}")
        rules = AccessRules(
            password=password,
            proxy_header=self.proxy_header.lower() if self.proxy_header else None,
            proxies=frozenset(self.proxies or ("127.0.0.1", "::1")),
        )
        return rules if token is None else replace(rules, token=token)

    def _password(self) -> str | None:
        if self.password_file is None:
            password = os.environ.get(PASSWORD_VARIABLE)
        else:
            try:
                password = self.password_file.read_text(encoding="utf-8").strip("\r\n")
            except (OSError, UnicodeDecodeError):
                raise ConfigError(
                    "the file of the password cannot be read; expected a text file. Check --password-file."
                ) from None
        if password is not None:
            _check_length(password, _SHORTEST_PASSWORD, "the password")
        return password


def _check_length(secret: str, shortest: int, what: str) -> None:
    if len(secret) < shortest:
        raise ConfigError(
            f"{what} has {len(secret)} characters; expected at least {shortest}. Choose a longer one."
        )
