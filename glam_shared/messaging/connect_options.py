"""How to connect: one frozen value, kept for every later attempt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from glam_shared.errors import ConfigurationError

Secret: TypeAlias = str | Callable[[], str] | None
"""A secret, or a function that returns the present one; it is called on every attempt."""


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """Where the servers are and who we are."""

    servers: tuple[str, ...]
    user: Secret = field(default=None, repr=False)
    password: Secret = field(default=None, repr=False)
    token: Secret = field(default=None, repr=False)
    credentials: str | Path | None = None
    """Path of a `.creds` file; read again on every attempt."""
    nkey_seed: str | Path | None = field(default=None, repr=False)
    """The seed itself (`SU...`) or the path of a file that holds it."""
    tls_ca: str | Path | None = None
    tls_cert: str | Path | None = None
    tls_key: str | Path | None = None
    inbox_prefix: str = "_INBOX"
    domain: str | None = None
    name: str | None = None
    min_server_version: str | None = None

    def __post_init__(self) -> None:
        """Raise ConfigurationError for half of an identity: it would be no identity."""
        if any((self.credentials, self.nkey_seed, self.token)):
            return
        if self.user is None and any("@" in server for server in self.servers):
            return  # the address names who we are
        for given, missing in (("user", "password"), ("password", "user")):
            if getattr(self, given) is not None and getattr(self, missing) is None:
                raise ConfigurationError(
                    f"A {given} is given and no {missing}: give both, or neither."
                )

    @property
    def tls_files(self) -> bool:
        """Whether a certificate of ours asks for TLS."""
        return bool(self.tls_ca or self.tls_cert or self.tls_key)


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds and counts by which a connection is judged. The defaults suit production."""

    attempt: float = 5.0
    """One attempt to reach one server, TLS and authentication included."""
    connect: float = 2.0
    """One step of an attempt: the TCP connection, the server's greeting, its pong."""
    ping_interval: float = 5.0
    outstanding_pings: int = 2
    """A server that leaves so many pings unanswered is dropped at the next: after 15 s at most."""
    hung_teardown: float = 3.0
    """A dead socket that is not closed after this long is aborted; after twice that, replaced."""
    watch_period: float = 1.0
    close: float = 2.0
    """The longest `close` waits for unsent bytes."""
