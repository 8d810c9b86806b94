"""Starts the studio: a socket, a token where it is opened to a network, the browser."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from ..errors import BadOption
from .app import create
from .settings import LOOPBACK, Settings, default_folder

PATIENCE = 2  # seconds that open answers have when the studio is ended


def run(
    *, port: int, host: str = "127.0.0.1", folder: Path | None = None, workers: int = 0, browser: bool = True,
    say: Callable[[str], object] = print,
) -> None:  # fmt: skip
    """Serve until Ctrl-C; `say` is told the address. Raises `BadOption` where the port or the folder cannot be had."""
    listener = bound(host, port)
    port = listener.getsockname()[1]
    token = "" if host in LOOPBACK else secrets.token_urlsafe(24)
    settings = Settings((folder or default_folder()).expanduser().resolve(), host, port, token, workers)
    app = create(settings)
    address = f"http://{_shown(host)}:{port}/{'?token=' + token if token else ''}"
    say(f"the studio is at {address} (Ctrl-C ends it); music is kept in {settings.folder}")
    if token:
        say("it is open to this network: whoever has the address with its token can use it, unencrypted")
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=PATIENCE, server_header=False,
        h11_max_incomplete_event_size=32_768, limit_concurrency=512, ws="none", lifespan="on",
    )  # fmt: skip
    if browser:
        threading.Timer(0.5, webbrowser.open, (address,)).start()
    uvicorn.Server(config).run(sockets=[listener])


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens; raises `BadOption` where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)  # from here on whoever comes early waits and is not refused
    except OSError as error:
        listener.close()
        raise BadOption(
            f"port {port} of {host} cannot be had ({error.strerror}); is the studio open already? Or choose: --port 0"
        ) from error
    return listener


def _shown(host: str) -> str:
    """A host as it stands in an address; for all addresses of this machine its name."""
    try:
        if ipaddress.ip_address(host).is_unspecified:
            return socket.gethostname()
    except ValueError:
        return host
    return f"[{host}]" if ":" in host else host
