"""The settings: the only place that reads the environment."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from glam_shared.errors import ConfigurationError

PREFIX = "GLAM_"

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Size = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    """How a worker runs. Frozen; read from ``GLAM_*`` variables and ``.env``.

    Arguments win over variables, variables over ``.env``. Make it with ``Settings.load()`` for an
    error that names each wrong variable, the value found and what is allowed.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    service: Name | None = None
    """Name of the service: first part of every durable. Default: first module's top package."""

    nats_servers: Annotated[tuple[str, ...], NoDecode] = ("nats://127.0.0.1:4222",)
    """Servers to connect to, separated by commas."""
    nats_credentials: str | None = None
    """Path of a ``.creds`` file; read anew at every connection."""
    nats_user: str | None = Field(
        default=None, validation_alias=AliasChoices("GLAM_NATS_USER", "NATS_USER")
    )
    """User name. ``NATS_USER`` is read too."""
    nats_password: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("GLAM_NATS_PASSWORD", "NATS_PASSWORD")
    )
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
    nats_inbox_prefix: Annotated[str, StringConstraints(pattern=r"^[^\s.*>][^\s*>]*$")] = "_INBOX"
    """Prefix of this client's inboxes; give each account its own where subscribing is limited."""
    js_domain: Name | None = None
    """JetStream domain. Default: the server's own."""
    connect_timeout: Seconds = 30.0
    """Seconds to reach a server at start; then exit code 1."""
    disconnected_budget: Seconds = 0.0
    """Seconds without connection after which the process exits with 1. 0: wait for ever."""

    events_stream: Name = "GLAM_EVENTS"
    """Stream of the events."""
    events_max_age: Seconds = 7 * 86_400.0
    """Seconds an event is kept in a stream that is created here."""
    retry_stream: Name = "GLAM_RETRY"
    """Stream of the parked retries."""
    dlq_stream: Name = "GLAM_DLQ"
    """Stream of the dead letters."""
    dlq_max_bytes: Size = 1 << 30
    """Bytes that the dead-letter stream may hold when it is created here."""
    stream_replicas: Annotated[int, Field(ge=1, le=5)] = 1
    """Replicas of streams created here; never less than those of the events stream found."""
    stream_storage: Literal["file", "memory"] = "file"
    """Storage of streams created here."""

    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 16
    """Runs at the same time of one handler in one process, where its declaration is silent."""
    max_in_flight: Annotated[int, Field(ge=1)] | None = None
    """Messages requested, buffered and running in the whole process. Default: the handlers' sum."""
    shutdown_grace: Seconds = 25.0
    """Seconds running handlers may go on after the signal to stop."""
    processes: Annotated[int, Field(ge=1, le=256)] = 1
    """Worker processes, watched and replaced by a parent."""
    embedded: bool = False
    """Start a nats-server of our own for this run, with its store under ``.glam/``."""

    http_host: str = "127.0.0.1"
    """Address of /metrics, /healthz and /readyz."""
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 9464
    """Port of the endpoint; 0 turns it off."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    """Least level that is logged."""
    log_format: Literal["json", "text"] = "json"
    """Lines for machines or for people."""

    @field_validator("nats_servers", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("nats_servers")
    @classmethod
    def _urls(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        allowed = ("nats://", "tls://", "ws://", "wss://")
        if not value or not all(url.startswith(allowed) for url in value):
            raise ValueError("URLs such as nats://host:4222, separated by commas")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @classmethod
    def load(cls, **given: Any) -> Settings:
        """Settings from the arguments that are not None, then the environment.

        Raises ConfigurationError with one line for each wrong variable.
        """
        values = {name: value for name, value in given.items() if value is not None}
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigurationError(_explained(error, values)) from None


def variable_of(field: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + field.upper()


def _explained(error: ValidationError, given: dict[str, Any]) -> str:
    return "\n".join(_line(dict(problem), given) for problem in error.errors())


def _line(problem: dict[str, Any], given: dict[str, Any]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "settings"
    name = name.removeprefix(PREFIX).lower().removeprefix("nats_") if name.isupper() else name
    field = name if name in Settings.model_fields else f"nats_{name}"
    annotation = Settings.model_fields[field].annotation if field in Settings.model_fields else None
    found = "(hidden)" if "SecretStr" in str(annotation) else repr(problem.get("input"))
    allowed = str(problem["msg"]).removeprefix("Value error, ")
    flag = f" (given as {field})" if field in given else ""
    return f"{variable_of(field)}{flag} is {found}; allowed: {allowed}"
