"""Where the broker of an HTTP service is: the same variables as the worker's."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from glam_shared.messaging.connection_settings import ConnectionSettings
from glam_shared.messaging.server_address import split_servers


class BrokerSettings(ConnectionSettings):
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
    nats_user: str | None = Field(
        default=None, validation_alias=AliasChoices("GLAM_NATS_USER", "NATS_USER")
    )
    nats_password: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("GLAM_NATS_PASSWORD", "NATS_PASSWORD")
    )

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers one by one."""
        return split_servers(self.nats_servers)

    @property
    def connection(self) -> dict[str, Any]:
        """The keywords of `JetStreamClient.connect` beside the servers."""
        return self.identity()
