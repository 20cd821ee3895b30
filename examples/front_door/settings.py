"""What the front door needs beside the settings that every HTTP service has."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class FrontDoorSettings(BaseSettings):
    """Read from the environment: the field's name in capitals, save where an alias is named."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    shopify_webhook_secret: SecretStr
    """The app's secret; two, comma-separated, while it is rotated."""

    database: Path = Field(default=Path(".glam/front-door.db"), validation_alias="FRONT_DOOR_DB")
    """A SQLite file."""

    @property
    def webhook_secrets(self) -> list[str]:
        """The secrets one by one."""
        return [part.strip() for part in self.shopify_webhook_secret.get_secret_value().split(",")]
