"""Reads a server's monitoring port (https://docs.nats.io/running-a-nats-service/nats_admin/monitoring)."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from glam_worker.doctor.snapshot import Monitor

_WITHIN = 5.0


def read_monitor(url: str, tls_ca: str | None = None) -> Monitor:
    """What ``/jsz?config=1`` says; a monitor with its problem where it cannot be read."""
    address = f"{url.rstrip('/')}/jsz?config=1"
    context = ssl.create_default_context(cafile=tls_ca) if url.startswith("https") else None
    try:
        with urllib.request.urlopen(address, timeout=_WITHIN, context=context) as answer:  # noqa: S310
            found = json.loads(answer.read())
    except (OSError, ValueError) as error:
        return Monitor(url, problem=_words(error))
    if not isinstance(found, dict) or "config" not in found:
        return Monitor(url, problem="JetStream is not enabled there, or it is no nats-server")
    return Monitor(url, found)


def check_monitor(url: str) -> str | None:
    """What is wrong with a monitoring address; None if it is one."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return f"{url.rpartition('@')[2]!r} is not an address such as http://nats:8222"
    if parts.username is not None:
        return f"{parts.hostname!r} is given with a user; a monitoring port asks for none"
    return None if fine else f"{url!r} is not an address such as http://nats:8222"


def _words(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason) or type(error).__name__
