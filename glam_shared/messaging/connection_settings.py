"""How to connect, as every service of the platform is told: the ``GLAM_NATS_*`` variables."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings

__all__ = ["ConnectionSettings"]


class ConnectionSettings(BaseSettings):
    """The fields that workers and HTTP services share, beside the servers themselves."""

    nats_credentials: str | None = None
    """Path of a ``.creds`` file; read anew at every connection."""
    nats_user: str | None = None
    """User name. ``NATS_USER`` is read too."""
    nats_password: SecretStr | None = None
    """Password. ``NATS_PASSWORD`` is read too."""
    nats_token: SecretStr | None = None
    """Token, for servers that ask for one."""
    nats_nkey_seed: SecretStr | None = None
    """NKey seed, or the path of a file that holds it."""
    nats_tls_ca: str | None = None
    """Path of the certificate authority's PEM file. Default: the system's."""
    nats_tls_cert: str | None = None
    """Path of the client's certificate, for mutual TLS."""
    nats_tls_key: str | None = None
    """Path of the key to the client's certificate."""
    nats_inbox_prefix: str = "_INBOX"
    """Prefix of this client's inboxes; give each account its own where subscribing is limited."""
    js_domain: str | None = None
    """JetStream domain. Default: the server's own."""

    def identity(self) -> dict[str, Any]:
        """The keywords of ``JetStreamClient.connect`` beside servers, name and timeout."""
        return {
            "user": self.nats_user,
            "password": revealed(self.nats_password),
            "token": revealed(self.nats_token),
            "credentials": self.nats_credentials,
            "nkey_seed": revealed(self.nats_nkey_seed),
            "tls_ca": self.nats_tls_ca,
            "tls_cert": self.nats_tls_cert,
            "tls_key": self.nats_tls_key,
            "inbox_prefix": self.nats_inbox_prefix,
            "domain": self.js_domain,
        }


def revealed(value: SecretStr | str | None) -> str | None:
    """The text of a secret, for those who send it."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value
