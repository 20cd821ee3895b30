"""Where the broker of an HTTP service is: the same variables as the worker's."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from glam_shared.messaging.server_address import split_servers


class BrokerSettings(BaseSettings):
    """Read from ``GLAM_*`` variables, or given by field name. Frozen.

    `connection` raises ConfigurationError for servers that cannot be read.
    """

    model_config = SettingsConfigDict(
        env_prefix="GLAM_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    nats_servers: str = "nats://127.0.0.1:4222"
    """Servers to connect to, comma-separated."""
    nats_credentials: str | None = None
    """Path of a ``.creds`` file; read anew at every connection."""
    nats_user: str | None = Field(
        default=None, validation_alias=AliasChoices("GLAM_NATS_USER", "NATS_USER")
    )
    nats_password: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("GLAM_NATS_PASSWORD", "NATS_PASSWORD")
    )
    nats_token: SecretStr | None = None
    nats_nkey_seed: SecretStr | None = None
    """The seed, or the path of a file that holds it."""
    nats_tls_ca: str | None = None
    """Path of the certificate authority's PEM file; unset: the system's."""
    nats_tls_cert: str | None = None
    """Path of the client's certificate, for mutual TLS."""
    nats_tls_key: str | None = None
    nats_inbox_prefix: str = "_INBOX"
    """Prefix of this client's inboxes; must be one the user may subscribe to."""
    js_domain: str | None = None
    """JetStream domain; unset: the server's own."""

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers one by one."""
        return split_servers(self.nats_servers)

    @property
    def connection(self) -> dict[str, Any]:
        """The keywords of `JetStreamClient.connect` beside the servers."""
        return {
            "credentials": self.nats_credentials,
            "user": self.nats_user,
            "password": _revealed(self.nats_password),
            "token": _revealed(self.nats_token),
            "nkey_seed": _revealed(self.nats_nkey_seed),
            "tls_ca": self.nats_tls_ca,
            "tls_cert": self.nats_tls_cert,
            "tls_key": self.nats_tls_key,
            "inbox_prefix": self.nats_inbox_prefix,
            "domain": self.js_domain,
        }


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
