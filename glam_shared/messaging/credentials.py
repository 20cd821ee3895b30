"""Who we are, in the form nats-py wants it, read anew on every attempt.

nats-py calls these functions while it answers the server's greeting. A secret is only handed out
when the connection is as encrypted as was asked for: nats-py itself falls back to plain text when
the server does not ask for TLS.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

import nats.errors

from glam_shared.errors import ConfigurationError
from glam_shared.messaging import server_address
from glam_shared.messaging.connect_options import ConnectOptions, Secret
from glam_shared.messaging.key_files import CredentialsUnreadable, read_credentials, read_key
from glam_shared.messaging.tls_files import client_context

Guard = Callable[[], None]
"""Raises when a secret must not be sent over the present connection."""

_T = TypeVar("_T")


class PlainConnection(nats.errors.Error):
    """TLS was asked for and the server does not offer it."""


def auth_arguments(options: ConnectOptions, guard: Guard) -> dict[str, Any]:
    """The keywords of `nats.aio.client.Client.connect` that identify us."""
    if (path := options.credentials) is not None:
        return _signed(lambda: read_credentials(path).key, guard) | {
            "user_jwt_cb": _careful(lambda: bytearray(read_credentials(path).jwt.encode()), guard)
        }
    if (seed := options.nkey_seed) is not None:
        return _signed(lambda: read_key(seed), guard)
    user, password, token = _named(options)
    if token is not None:
        return {"token": _careful(token, guard)}
    if user is not None and password is not None:
        return {"user": _careful(user, guard), "password": _careful(password, guard)}
    return {}


def public_nkey(options: ConnectOptions) -> str | None:
    """The public key of the seed in use, or None without one."""
    if options.nkey_seed is None or options.credentials is not None:
        return None
    key: bytes = read_key(options.nkey_seed).public_key
    return key.decode()


def tls_context(options: ConnectOptions) -> ssl.SSLContext | None:
    """A verifying context of the files as they are now; None when TLS was not asked for."""
    wanted = options.tls_files or any(map(server_address.is_encrypted_scheme, options.servers))
    if not wanted:
        return None
    return client_context(options.tls_ca, options.tls_cert, options.tls_key)


def sends_password(options: ConnectOptions) -> bool:
    """Whether a reusable secret travels to the server (keys only sign)."""
    return any(source is not None for source in _named(options))


def _named(
    options: ConnectOptions,
) -> tuple[Callable[[], str] | None, Callable[[], str] | None, Callable[[], str] | None]:
    """User, password and token as functions; the options first, then the addresses."""
    if options.user is not None or options.token is not None:
        return _source(options.user), _source(options.password), _source(options.token)
    named = (server_address.user_and_password(address) for address in options.servers)
    user, password = next((pair for pair in named if pair[0] is not None), (None, None))
    if password is None:
        return None, None, _source(user)
    return _source(user), _source(password), None


def _source(secret: Secret) -> Callable[[], str] | None:
    if secret is None or callable(secret):
        return secret
    return lambda: secret


def _signed(key: Callable[[], Any], guard: Guard) -> dict[str, Any]:
    def sign(nonce: str) -> bytes:
        guard()
        try:
            return base64.b64encode(key().sign(nonce.encode()))
        except (ConfigurationError, nats.errors.Error):
            raise
        except Exception as error:
            raise CredentialsUnreadable(f"the key cannot sign: {error}") from error

    return {"signature_cb": sign}


def _careful(read: Callable[[], _T], guard: Guard) -> Callable[[], _T]:
    def read_carefully() -> _T:
        guard()
        try:
            return read()
        except nats.errors.Error:
            raise
        except Exception as error:
            raise CredentialsUnreadable(f"a secret cannot be read: {error}") from error

    return read_carefully
