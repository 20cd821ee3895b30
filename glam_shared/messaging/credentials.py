"""Who we are, in the form nats-py wants it, read anew on every attempt.

nats-py calls these functions while it answers the server's greeting. A secret is only handed out
when the connection is as encrypted as was asked for: nats-py itself falls back to plain text when
the server does not ask for TLS.
"""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import nats.errors

from glam_shared.errors import ConfigurationError
from glam_shared.messaging import server_address
from glam_shared.messaging.connect_options import ConnectOptions, Secret

_JWT = re.compile(r"BEGIN NATS USER JWT-+\s+(\S+)")
_SEED = re.compile(r"BEGIN USER NKEY SEED-+\s+(\S+)")

Guard = Callable[[], None]
"""Raises when a secret must not be sent over the present connection."""

_T = TypeVar("_T")


class CredentialsUnreadable(nats.errors.Error):
    """A secret could not be read. Of nats-py's tree, so that its reconnect goes on."""


class PlainConnection(nats.errors.Error):
    """TLS was asked for and the server does not offer it."""


def auth_arguments(options: ConnectOptions, guard: Guard) -> dict[str, Any]:
    """The keywords of `nats.aio.client.Client.connect` that identify us."""
    if options.credentials is not None:
        return _signed(lambda: _creds_seed(Path(str(options.credentials))), guard) | {
            "user_jwt_cb": _careful(lambda: _creds_jwt(Path(str(options.credentials))), guard)
        }
    if options.nkey_seed is not None:
        return _signed(lambda: read_seed(options.nkey_seed), guard)
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
    key: bytes = _key_pair(read_seed(options.nkey_seed)).public_key
    return key.decode()


def read_seed(seed: str | Path | None) -> str:
    """The seed's text; *seed* is the text itself or the path of a file with it."""
    if isinstance(seed, str) and re.fullmatch(r"S[A-Z2-7]{20,}", seed.strip()):
        return seed.strip()
    return Path(str(seed)).read_text(encoding="ascii").strip()


def tls_context(options: ConnectOptions) -> ssl.SSLContext | None:
    """A verifying context of the files as they are now; None when TLS was not asked for."""
    wanted = options.tls_files or any(map(server_address.is_encrypted_scheme, options.servers))
    if not wanted:
        return None
    context = ssl.create_default_context(cafile=_text(options.tls_ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.tls_cert is not None:
        context.load_cert_chain(str(options.tls_cert), _text(options.tls_key))
    return context


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


def _signed(seed: Callable[[], str], guard: Guard) -> dict[str, Any]:
    def sign(nonce: str) -> bytes:
        guard()
        try:
            return base64.b64encode(_key_pair(seed()).sign(nonce.encode()))
        except ConfigurationError:
            raise
        except Exception as error:
            raise CredentialsUnreadable(f"the key cannot sign: {error}") from error

    return {"signature_cb": sign}


def _key_pair(seed: str) -> Any:
    try:
        import nkeys  # noqa: PLC0415 - only for those who sign
    except ImportError as error:
        raise ConfigurationError(
            "Credentials files and nkeys need the package nkeys: pip install nats-py[nkeys]."
        ) from error
    return nkeys.from_seed(bytearray(seed.encode()))


def _creds_jwt(path: Path) -> bytearray:
    return bytearray(_part(_JWT, path).encode())


def _creds_seed(path: Path) -> str:
    return _part(_SEED, path)


def _part(pattern: re.Pattern[str], path: Path) -> str:
    found = pattern.search(path.read_text(encoding="ascii"))
    if found is None:
        raise CredentialsUnreadable(f"{path} is not a complete NATS credentials file")
    return found.group(1)


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


def _text(path: str | Path | None) -> str | None:
    return None if path is None else str(path)
