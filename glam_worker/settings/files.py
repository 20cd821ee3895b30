"""The files that settings name: credentials and certificates, read before they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from glam_shared.errors import ConfigurationError
from glam_shared.messaging.key_files import (
    CredentialsUnreadable,
    is_seed,
    read_credentials,
    read_key,
)
from glam_shared.messaging.tls_files import authority_context, client_context

_FILES = ("nats_credentials", "nats_tls_ca", "nats_tls_cert", "nats_tls_key")


def unreadable(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings whose file cannot be used now, each with the words for it."""
    missing = dict(_missing(values))
    yield from missing.items()
    credentials, seed, ca, cert = (
        values[name]
        for name in ("nats_credentials", "nats_nkey_seed", "nats_tls_ca", "nats_tls_cert")
    )
    reads: dict[str, Callable[[], object]] = {
        "nats_credentials": lambda: read_credentials(credentials),
        "nats_nkey_seed": lambda: read_key(seed),
        "nats_tls_ca": lambda: authority_context(ca),
        "nats_tls_cert": lambda: client_context(None, cert, values["nats_tls_key"]),
    }
    if "nats_tls_key" in missing:
        del reads["nats_tls_cert"]
    for name, read in reads.items():
        if values[name] is not None and name not in missing and (said := _trouble(read)):
            yield name, f"is wrong: {said}"


def _missing(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _FILES:
        path = values[name]
        if path is not None and (trouble := _closed(path)):
            yield name, f"is {path!r}, which cannot be read: {trouble}"
    seed = values["nats_nkey_seed"]
    if seed is not None and not is_seed(seed) and _closed(seed):
        yield "nats_nkey_seed", "is neither an nkey seed nor the path of a file that can be read"


def _closed(path: str) -> str | None:
    try:
        with Path(path).open("rb"):
            return None
    except (OSError, ValueError) as error:  # ValueError: a path with NUL in it
        return getattr(error, "strerror", None) or str(error)


def _trouble(read: Callable[[], object]) -> str | None:
    try:
        read()
    except (CredentialsUnreadable, ConfigurationError) as error:
        return str(error)
    return None
