"""What can be set, and what each setting may be."""

from __future__ import annotations

import logging
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from glam_shared.errors import ConfigurationError
from glam_shared.messaging.connection_settings import ConnectionSettings, revealed
from glam_shared.messaging.server_address import split_servers
from glam_worker.settings.files import unreadable
from glam_worker.settings.problems import Allowed, described, explained
from glam_worker.settings.sources import (
    DOTENV,
    DOTENV_ENCODING,
    PREFIX,
    Origin,
    misspelt,
    origins,
    with_unprefixed,
)

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$"),
    Allowed("a name, 1 to 64 of A-Z a-z 0-9 _ -"),
]
Seconds = Annotated[
    float, Field(ge=0, le=1e9, allow_inf_nan=False), Allowed("a number of seconds from 0 on")
]
Wait = Annotated[
    float, Field(gt=0, le=1e9, allow_inf_nan=False), Allowed("a number of seconds above 0")
]
Size = Annotated[int, Field(ge=1, le=1 << 62), Allowed("a whole number of bytes from 1 on")]
Servers = Annotated[
    tuple[str, ...], NoDecode, Allowed("URLs such as nats://host:4222, separated by commas")
]
Inbox = Annotated[
    str,
    StringConstraints(pattern=r"^[^\s.*>]+(\.[^\s.*>]+)*$"),
    Allowed("tokens separated by dots, without white space and wildcards"),
]
FAILPOINTS = (
    "after_handler_before_ack",
    "after_park_before_ack",
    "after_emission_before_ack",
    "after_dlq_before_ack",
    "before_pull",
    "in_shutdown",
)
Failpoint = Annotated[
    str,
    StringConstraints(pattern=rf"^({'|'.join(FAILPOINTS)})(:[1-9]\d*)?$"),
    Allowed(f"{', '.join(FAILPOINTS[:-1])} or {FAILPOINTS[-1]}, and :3 for the third time"),
]


class Settings(ConnectionSettings):
    """How a worker runs. Frozen; read from ``GLAM_*`` variables and ``.env``.

    Arguments win over variables, variables over ``.env``. Make it with ``Settings.load()`` for an
    error that names each wrong variable, the value found and what is allowed.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=DOTENV,
        env_file_encoding=DOTENV_ENCODING,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    service: Name | None = None
    """Name of the service: first part of every durable. Default: first module's top package."""

    nats_servers: Servers = ("nats://127.0.0.1:4222",)
    """Servers to connect to, separated by commas."""
    nats_inbox_prefix: Inbox = "_INBOX"
    """Prefix of this client's inboxes; give each account its own where subscribing is limited."""
    js_domain: Name | None = None
    """JetStream domain. Default: the server's own."""
    connect_timeout: Wait = 30.0
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
    stream_replicas: Annotated[int, Field(ge=1, le=5), Allowed("a whole number from 1 to 5")] = 1
    """Replicas of streams created here; never less than those of the events stream found."""
    stream_storage: Literal["file", "memory"] = "file"
    """Storage of streams created here."""

    concurrency: Annotated[
        int, Field(ge=1, le=10_000), Allowed("a whole number from 1 to 10000")
    ] = 16
    """Runs at the same time of one handler in one process, where its declaration is silent."""
    max_in_flight: (
        Annotated[int, Field(ge=1, le=1 << 31), Allowed("a whole number from 1 on")] | None
    ) = None
    """Messages requested, buffered and running in the whole process. Default: the handlers' sum."""
    shutdown_grace: Seconds = 25.0
    """Seconds running handlers may go on after the signal to stop."""
    drain_target: Wait = 60.0
    """Seconds in which a backlog should be worked off; ``desired_replicas`` is counted for it."""
    processes: Annotated[int, Field(ge=1, le=256), Allowed("a whole number from 1 to 256")] = 1
    """Worker processes, watched and replaced by a parent."""
    embedded: bool = False
    """Start a nats-server of our own for this run, with its store under ``.glam/``."""

    http_host: str = "127.0.0.1"
    """Address of /metrics, /healthz and /readyz."""
    http_port: Annotated[int, Field(ge=0, le=65_535), Allowed("a whole number from 0 to 65535")] = (
        9464
    )
    """Port of the endpoint; 0 turns it off."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    """Least level that is logged."""
    log_format: Literal["json", "text"] = "json"
    """Lines for machines or for people."""
    console_token: SecretStr | None = None
    """Token of 32 bytes or more that lets people act in the console. Default: nobody can."""
    failpoint: Failpoint | None = None
    """For tests of crashes: where the process kills itself, and at which time it gets there."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then ``.env``."""
        return (init_settings, *with_unprefixed(env_settings, dotenv_settings))

    @field_validator("nats_servers", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        try:
            return split_servers(value)
        except (ConfigurationError, AttributeError, TypeError) as error:
            raise ValueError(str(error)) from None

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        upper = value.upper() if isinstance(value, str) else value
        return upper if upper in logging.getLevelNamesMapping() else value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        wrong = list(self.halves())
        names = (self.events_stream, self.retry_stream, self.dlq_stream)
        if len(set(names)) < len(names):
            wrong.append(
                "GLAM_EVENTS_STREAM, GLAM_RETRY_STREAM and GLAM_DLQ_STREAM are "
                f"{', '.join(names)}; give each a name of its own"
            )
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    @classmethod
    def load(cls, **given: Any) -> Settings:
        """Settings from the arguments that are not None, then the environment.

        Raises ConfigurationError with one line for each wrong variable.
        """
        values = {name: value for name, value in given.items() if value is not None}
        unknown = sorted(values.keys() - cls.model_fields.keys())
        if unknown:
            raise ConfigurationError(f"{', '.join(unknown)} is not a setting")
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigurationError(explained(error, cls, origins(cls, values))) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(_unreadable(error)) from None

    @classmethod
    def origins(cls, **given: Any) -> dict[str, Origin]:
        """Where ``load`` with the same arguments takes each setting from."""
        return origins(cls, {name: value for name, value in given.items() if value is not None})

    @classmethod
    def warnings(cls) -> list[str]:
        """What is set and has no effect, most likely because it is misspelt."""
        return [
            f"{variable} is not a setting and has no effect; did you mean {meant}?"
            for variable, meant in misspelt(cls)
        ]

    def connection(self) -> dict[str, Any]:
        """What ``JetStreamClient.connect`` is to be given, but for ``name`` and ``timeout``.

        Raises what ``check_files`` raises.
        """
        self.check_files()
        return {"servers": self.nats_servers, **self.identity()}

    def check_files(self) -> None:
        """Raise ConfigurationError with one line for each file that is named and of no use."""
        lines = self.wrong_files()
        if lines:
            raise ConfigurationError("\n".join(lines))

    def wrong_files(self) -> list[str]:
        """A line for each file of credentials or TLS that cannot be read, or is something else."""
        named = {name: revealed(getattr(self, name)) for name in _OF_OTHER_SERVERS}
        origins = self.origins()
        return [f"{described(name, origins[name])} {said}" for name, said in unreadable(named)]

    def at(self, server: str) -> Settings:
        """These settings for a server that asks for no credentials and no TLS."""
        nothing = dict.fromkeys(_OF_OTHER_SERVERS)
        return self.model_copy(update={**nothing, "nats_servers": (server,)})


_OF_OTHER_SERVERS = (
    "nats_credentials",
    "nats_user",
    "nats_password",
    "nats_token",
    "nats_nkey_seed",
    "nats_tls_ca",
    "nats_tls_cert",
    "nats_tls_key",
    "js_domain",
)


def _unreadable(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        line = error.object[: error.start].count(b"\n") + 1
        return f"{DOTENV} is not UTF-8 text, see its line {line}; save it as UTF-8"
    return f"{DOTENV} cannot be read: {error.strerror or error}"
