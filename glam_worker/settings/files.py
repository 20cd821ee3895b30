"""The files that settings name: credentials and certificates, read before they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from glam_shared.errors import ConfigurationError

_FILES = ("nats_credentials", "nats_tls_ca", "nats_tls_cert", "nats_tls_key")
_PARTNER = {"nats_tls_cert": "nats_tls_key"}
"""What is read together with a file."""


def unreadable(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings whose file cannot be used now, each with the words for it."""
    named = {name: values[name] for name in (*_FILES, "nats_nkey_seed") if values[name] is not None}
    if not named:
        return
    missing = dict(_missing(named))
    yield from missing.items()
    for name, read in _reads(named).items():
        if not missing.keys() & {name, _PARTNER.get(name)} and (said := _trouble(read)):
            yield name, f"is wrong: {said}"


def _reads(named: Mapping[str, Any]) -> dict[str, Callable[[], object]]:
    """What reads each of the files, as it will be read for the connection."""
    from glam_shared.messaging import key_files, tls_files  # noqa: PLC0415 - loads the client

    reads: dict[str, Callable[[], object]] = {
        "nats_credentials": lambda: key_files.read_credentials(named["nats_credentials"]),
        "nats_nkey_seed": lambda: key_files.read_key(named["nats_nkey_seed"]),
        "nats_tls_ca": lambda: tls_files.authority_context(named["nats_tls_ca"]),
        "nats_tls_cert": lambda: tls_files.client_context(
            None, named["nats_tls_cert"], named.get("nats_tls_key")
        ),
    }
    return {name: read for name, read in reads.items() if name in named}


def _missing(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from glam_shared.messaging.key_files import is_seed  # noqa: PLC0415 - loads the client

    for name in _FILES:
        if name in values and (trouble := _closed(values[name])):
            yield name, f"is {values[name]!r}, which cannot be read: {trouble}"
    seed = values.get("nats_nkey_seed")
    if seed is not None and not is_seed(seed) and _closed(seed):
        yield "nats_nkey_seed", "is neither an nkey seed nor the path of a file that can be read"


def _closed(path: str) -> str | None:
    try:
        with Path(path).open("rb"):
            return None
    except (OSError, ValueError) as error:  # ValueError: a path with NUL in it
        return getattr(error, "strerror", None) or str(error)


def _trouble(read: Callable[[], object]) -> str | None:
    from glam_shared.messaging.key_files import CredentialsUnreadable  # noqa: PLC0415

    try:
        read()
    except (CredentialsUnreadable, ConfigurationError) as error:
        return str(error)
    return None
