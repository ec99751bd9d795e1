"""Run the server until it is interrupted."""

from __future__ import annotations

import socket
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rma_mamba.errors import ConfigError
from rma_mamba.extras import require_extra
from rma_mamba.server.access_control import AccessRules, host_names
from rma_mamba.server.serve_options import ServeOptions

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


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

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host in _LOOPBACK

    @property
    def scheme(self) -> str:
        """http or https."""
        return "http" if self.certificate is None else "https"


def serve(
    options: ServeOptions,
    binding: Binding,
    rules: AccessRules,
    announce: Callable[[str], None],
    *,
    browser: bool = True,
) -> None:
    """Serve until the process is interrupted.

    Args:
        options: What is served.
        binding: Where.
        rules: Who may use it; hosts and scheme are filled in.
        announce: Called with the link to open, once the server accepts connections.
        browser: Whether to open the link in a browser.

    Raises:
        BackendError: FastAPI or uvicorn is not installed.
        ConfigError: The address or the folder of the results cannot be used.
    """
    for module in ("fastapi", "uvicorn", "python_multipart"):
        require_extra(module, "serve", "the server")
    import uvicorn

    from rma_mamba.server.web_app import create_app

    listener = _bind(binding)
    port = listener.getsockname()[1]
    rules = replace(
        rules, hosts=host_names(binding.host, port, binding.names), scheme=binding.scheme
    )
    host = f"[{binding.host}]" if ":" in binding.host else binding.host
    link = f"{binding.scheme}://{host}:{port}/?token={rules.token}"

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            announce(link)
            if browser:
                webbrowser.open(link)

    config = uvicorn.Config(
        create_app(options, rules),
        http="h11",
        ws="none",
        lifespan="on",
        log_level="critical",  # addresses and errors may contain names
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=2,
        ssl_certfile=binding.certificate,
        ssl_keyfile=binding.key,
    )
    Server(config).run([listener])


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
