"""Settings of an HTTP service; the only place of this package that reads the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from glam_shared.errors import ConfigurationError

S = TypeVar("S", bound=BaseSettings)


class HttpSettings(BaseSettings):
    """Read from the environment, or given by field name. Frozen.

    The variable is the field's name in capitals, save where an alias is named.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    client_jwt_secret: SecretStr | None = None
    """Keys of client tokens, comma-separated during a rotation, each at least 32 bytes."""

    client_jwt_audience: str | None = None
    """The `aud` that client tokens must carry; unset: `aud` is not looked at."""

    client_jwt_issuer: str | None = None
    """The `iss` that client tokens must carry; unset: `iss` is not looked at."""

    client_jwt_leeway: float = Field(default=5.0, ge=0, le=60)
    """Seconds by which the clocks of issuer and service may differ; at most 60 (RFC 8725)."""

    internal_jwt_secret: SecretStr | None = None
    """``service:key,service:key``: who may call from inside, each key at least 32 bytes."""

    trusted_proxies: str = Field(default="", validation_alias="GLAM_TRUSTED_PROXIES")
    """Networks in CIDR notation, comma-separated, whose ``X-Forwarded-For`` is believed."""

    debug: bool = Field(default=False, validation_alias="GLAM_HTTP_DEBUG")
    """Whether requests and answers may be logged in full. Never in production."""


def load_settings(settings: HttpSettings | None = None) -> HttpSettings:
    """*settings*, or those of the environment; errors as of `read_settings`."""
    return settings if settings is not None else read_settings(HttpSettings)


def read_settings(kind: type[S]) -> S:
    """Settings of this kind from the environment.

    Raises ConfigurationError that names each wrong variable, without its value.
    """
    try:
        return kind()
    except ValidationError as error:
        wrong = "; ".join(_wrong(item) for item in error.errors(include_input=False))
        raise ConfigurationError(f"The environment is wrong: {wrong}.") from None


def _wrong(item: Mapping[str, Any]) -> str:
    if not item["loc"]:  # of several variables together: it names them
        return str(item["msg"]).removeprefix("Value error, ")
    return f"{str(item['loc'][0]).upper()}: {item['msg'][0].lower()}{item['msg'][1:]}"
