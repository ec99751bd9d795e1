"""Run the server until it is interrupted."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from rma_mamba.errors import ConfigError
from rma_mamba.extras import require_extra
from rma_mamba.server.access_control import AccessRules, host_names
from rma_mamba.server.serve_options import ServeOptions

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ANY = ("0.0.0.0", "::", "")


@dataclass(frozen=True)
class Binding:
    """Where the server listens.

    Args:
        host: Address.
        port: Port; 0: any free one.
        names: Other names of the server, which browsers use.
        certificate: TLS certificate (PEM).
        key: Its key (PEM).
    """

    host: str = "127.0.0.1"
    port: int = 0
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ConfigError(
                "only one of certificate and key is set; expected both or neither. Set --tls-cert and --tls-key."
            )

        if self.host in _ANY and not self.names:
            raise ConfigError(
                "the server would listen on all addresses, but its name is not known; expected the name that browsers "
                "use. Set --allow-host, or one address with --listen."
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host in _LOOPBACK

    @property
    def scheme(self) -> str:
        """http or https."""
        return "http" if self.certificate is None else "https"


class WebServer:
    """A server that is bound to its address.

    Args:
        options: What is served.
        binding: Where.
        rules: Who may use it; hosts and scheme are filled in.

    Raises:
        BackendError: FastAPI or uvicorn is not installed.
        ConfigError: The address or the folder of the results cannot be used.
    """

    def __init__(self, options: ServeOptions, binding: Binding, rules: AccessRules) -> None:
        for module in ("fastapi", "uvicorn", "python_multipart"):
            require_extra(module, "serve", "the server")
        import uvicorn

        from rma_mamba.server.guarded_protocol import GuardedProtocol, allow_many_connections
        from rma_mamba.server.web_app import create_app

        allow_many_connections()
        self._listener = _bind(binding)
        port = self._listener.getsockname()[1]
        hosts = host_names(binding.host, port, binding.names)
        rules = replace(rules, hosts=hosts, scheme=binding.scheme)
        self.address = f"{binding.scheme}://{_shown_name(binding, port)}"
        self.link = f"{self.address}/?token={rules.token}"
        config = uvicorn.Config(
            create_app(options, rules),
            http=GuardedProtocol,
            ws="none",
            lifespan="on",
            log_config=None,  # addresses and errors may contain names
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # uvicorn would hide the proxy, which may name users, behind the client
            date_header=False,
            timeout_graceful_shutdown=2,
            ssl_certfile=binding.certificate,
            ssl_keyfile=binding.key,
        )
        try:
            config.load()
        except OSError as error:  # an ssl.SSLError is one
            self._listener.close()
            raise ConfigError(
                "the TLS certificate or its key cannot be used; expected two PEM files that belong together. "
                "Check --tls-cert and --tls-key."
            ) from error
        self._server = uvicorn.Server(config)

    @property
    def is_ready(self) -> bool:
        """Whether it accepts connections."""
        return self._server.started

    def run(self) -> None:
        """Serve until the process is interrupted, or `stop` is called."""
        self._server.run([self._listener])

    def stop(self) -> None:
        """End `run`, from another thread."""
        self._server.should_exit = True


def serve(server: WebServer, announce: Callable[[str], None], *, browser: bool = True) -> None:
    """Serve until the process is interrupted.

    Args:
        server: The server.
        announce: Called with the link to open, once the server accepts connections.
        browser: Whether to open the link in a browser.
    """

    def tell() -> None:
        while not server.is_ready:
            time.sleep(0.02)
        announce(server.link)
        if browser and _has_display():
            webbrowser.open(server.link)

    threading.Thread(target=tell, daemon=True).start()
    with suppress(KeyboardInterrupt):  # the usual way to end it
        server.run()


def _shown_name(binding: Binding, port: int) -> str:
    """Name and port for the link: the first name that browsers use, else the address."""
    if binding.names and not binding.is_local:
        name = binding.names[0]
        return name if urlsplit(f"//{name}").port else f"{name}:{port}"
    host = f"[{binding.host}]" if ":" in binding.host else binding.host
    return f"{host}:{port}"


def _has_display() -> bool:
    """Whether a browser with windows can be opened; others would take over the terminal."""
    if sys.platform != "linux":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _bind(binding: Binding) -> socket.socket:
    family = socket.AF_INET6 if ":" in binding.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((binding.host, binding.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"the address cannot be used ({error.strerror}); expected a free port of this machine. "
            "Choose another --port."
        ) from error
    return listener
