"""Serves the console until it is told to stop."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from glam_worker.console.app import console_app
from glam_worker.console.session import Session
from glam_worker.errors import EndpointError

_GRACE = 2
"""Seconds for open requests when the console stops."""


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens. Raises EndpointError for an address that is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise EndpointError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port"
            ) from error
        yield listener


def url_of(listener: socket.socket) -> str:
    """Where the page is."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


async def serve(session: Session, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        console_app(session),
        log_config=None,
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    await uvicorn.Server(config).serve(sockets=[listener])
