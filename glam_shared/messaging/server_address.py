"""Server addresses: taken apart, shown without secrets, judged."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import SplitResult, unquote, urlsplit

from glam_shared.errors import ConfigurationError

_SCHEMES = ("nats", "tls", "ws", "wss")


def split_servers(servers: str | Sequence[str]) -> tuple[str, ...]:
    """Addresses of a comma-separated text or of a sequence, in order, without doubles.

    Raises ConfigurationError when there is none, or one cannot be read.
    """
    texts = servers.split(",") if isinstance(servers, str) else servers
    found = tuple(dict.fromkeys(_normal(text.strip()) for text in texts if text.strip()))
    if not found:
        raise ConfigurationError("No NATS server is given. Give at least one nats://host:port.")
    return found


def redact(address: str) -> str:
    """The address without user, password or token."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{_host_and_port(parts)}" if "@" in parts.netloc else address


def user_and_password(address: str) -> tuple[str | None, str | None]:
    """What stands before the `@`: (user, password), or (token, None), or (None, None)."""
    parts = urlsplit(address)
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return user, password


def without_user(address: str) -> str:
    """The address as the client should dial it."""
    parts = urlsplit(address)
    return parts._replace(netloc=_host_and_port(parts)).geturl()


def is_loopback(address: str) -> bool:
    """Whether the address cannot leave this machine."""
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_encrypted_scheme(address: str) -> bool:
    """Whether the scheme itself asks for TLS."""
    return urlsplit(address).scheme in ("tls", "wss")


def _normal(text: str) -> str:
    address = text if "://" in text else f"nats://{text}"
    parts = urlsplit(address)
    try:
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise _unreadable(text) from error
    if parts.scheme not in _SCHEMES or not host:
        raise _unreadable(text)
    if port is None and parts.scheme in ("nats", "tls"):
        return parts._replace(netloc=f"{parts.netloc.rstrip(':')}:4222").geturl()
    return address


def _unreadable(text: str) -> ConfigurationError:
    shown = text.rsplit("@", 1)[-1]
    return ConfigurationError(
        f"The NATS server address {shown!r} cannot be read. Write nats://host:port or tls://host:port."
    )


def _host_and_port(parts: SplitResult) -> str:
    return parts.netloc.rsplit("@", 1)[-1]
