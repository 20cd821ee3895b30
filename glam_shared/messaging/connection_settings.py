"""How to connect, as every service of the platform is told: the ``GLAM_NATS_*`` variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from pydantic import SecretStr, model_validator
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

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        wrong = list(self.halves())
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    def halves(self) -> Iterator[str]:
        """What is set without what it goes with, a sentence each."""
        if bool(self.nats_tls_cert) != bool(self.nats_tls_key):
            yield (
                "GLAM_NATS_TLS_CERT and GLAM_NATS_TLS_KEY go together, and only the "
                f"{'certificate' if self.nats_tls_cert else 'key'} is set; set both, or neither"
            )
        others = self.nats_credentials or self.nats_nkey_seed or self.nats_token
        in_address = self.nats_user is None and "@" in "".join(getattr(self, "nats_servers", ""))
        if not (others or in_address) and (self.nats_user is None) != (self.nats_password is None):
            yield (
                "GLAM_NATS_USER and GLAM_NATS_PASSWORD go together (NATS_USER and NATS_PASSWORD "
                f"are read too), and only the {'password' if self.nats_user is None else 'user'} "
                "is set; set both, or neither"
            )

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
