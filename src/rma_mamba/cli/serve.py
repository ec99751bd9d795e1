"""`rma-mamba serve`: a viewer in the browser, on this machine."""

from __future__ import annotations

import typer

from rma_mamba.cli import serve_access as access
from rma_mamba.cli import serve_folders as folders
from rma_mamba.cli.scan_options import Model
from rma_mamba.cli.shared_options import Verbose


def serve(
    folder: folders.Folder = None,
    results: folders.Results = None,
    scans: folders.Scans = None,
    model: Model = "default",
    port: folders.Port = 0,
    browser: folders.Browser = True,
    keep_hours: folders.KeepHours = 72.0,
    max_upload_gb: folders.MaxUploadGb = 16.0,
    listen: access.Listen = "127.0.0.1",
    allow_host: access.AllowHost = None,
    password_file: access.PasswordFile = None,
    proxy_header: access.ProxyHeader = None,
    trusted_proxy: access.TrustedProxy = None,
    tls_cert: access.TlsCert = None,
    tls_key: access.TlsKey = None,
    verbose: Verbose = False,
) -> None:
    """Open a viewer in the browser: segment, review, correct.

    The server listens on this machine only, and no request leaves it. Uploads are deleted after some time.
    """
    from rma_mamba.pipeline.request import NetworkOptions
    from rma_mamba.server.access_choice import AccessChoice
    from rma_mamba.server.serve_options import ServeOptions, UploadLimits, served_folders
    from rma_mamba.server.web_server import Binding, WebServer
    from rma_mamba.server.web_server import serve as run

    binding = Binding(listen, port, tuple(allow_host or ()), tls_cert, tls_key)
    choice = AccessChoice(password_file, proxy_header, tuple(trusted_proxy or ()))
    limits = UploadLimits(bytes=round(max_upload_gb * 1e9), keep_hours=keep_hours)
    served = ServeOptions(
        *served_folders(folder, results, scans), NetworkOptions(model), limits, verbose
    )
    run(WebServer(served, binding, choice.rules(binding)), typer.echo, browser=browser)
