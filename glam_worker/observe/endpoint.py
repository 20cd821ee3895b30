"""/metrics, /healthz and /readyz, from a thread of their own.

They answer while the event loop is blocked; a scraper that hangs costs a thread, not the worker.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from glam_worker.errors import EndpointError

_SOCKET_TIMEOUT = 10.0
_CONNECTIONS = 32
_STOPS_WITHIN = 0.1
"""Seconds that a stop may take."""


@dataclass(frozen=True, slots=True)
class Probes:
    """What the endpoint asks; called from its threads."""

    metrics: Callable[[], bytes]
    """The exposition text."""
    unhealthy: Callable[[], list[str]]
    """Reasons to replace the process."""
    not_ready: Callable[[], list[str]]
    """Reasons why events are not all worked."""
    missing: Callable[[], list[str]] = list
    """What is said beside "ready": parts that are not, where one ready part is enough."""


class Endpoint:
    """Serves the probes. Raises EndpointError when the address cannot be had."""

    def __init__(self, host: str, port: int, probes: Probes) -> None:
        try:
            self._server = _Server((host, port), probes)
        except socket.gaierror as error:
            raise EndpointError(
                f"cannot serve metrics on {host}: {error.strerror or error}; give an address of "
                "this machine in GLAM_HTTP_HOST"
            ) from error
        except OSError as error:
            raise EndpointError(
                f"cannot serve metrics on {host}:{port}: {error.strerror or error}; choose another "
                "port with --http-port or GLAM_HTTP_PORT (0 turns the endpoint off)"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOPS_WITHIN,), name="endpoint", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """At most ``_CONNECTIONS`` at a time: scrapers that hang cannot use the process up."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], probes: Probes) -> None:
        self.probes = probes
        self._free = threading.BoundedSemaphore(_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, if there is one left."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Not said: the other side went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SOCKET_TIMEOUT
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        probes = self.server.probes
        match self.path.partition("?")[0]:
            case "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, probes.metrics())
            case "/healthz":
                self._probe("healthy", probes.unhealthy(), [])
            case "/readyz":
                self._probe("ready", probes.not_ready(), probes.missing())
            case _:
                self._json(HTTPStatus.NOT_FOUND, {"paths": ["/metrics", "/healthz", "/readyz"]})

    def do_HEAD(self) -> None:
        self.do_GET()

    def _probe(self, good: str, reasons: list[str], remarks: list[str]) -> None:
        if reasons:
            bad = {"status": f"not {good}", "reasons": reasons}
            self._json(HTTPStatus.SERVICE_UNAVAILABLE, bad)
        else:
            self._json(HTTPStatus.OK, {"status": good, "reasons": remarks})

    def _json(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        self._answer(status, "application/json", json.dumps(body).encode())

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - inherited
        """Not said: probes come every few seconds."""
