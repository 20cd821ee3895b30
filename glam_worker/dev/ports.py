"""Ports of this machine."""

from __future__ import annotations

import socket


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server of ours could listen there now."""
    return _bound(host, port) is not None


def free_port(host: str = "127.0.0.1") -> int | None:
    """A port where nobody listens now; None where nobody can."""
    return _bound(host, 0)


def _bound(host: str, port: int) -> int | None:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError:
        return None
