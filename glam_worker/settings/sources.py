"""Where settings are read from, in order, and which source each value came from."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import SecretStr
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PREFIX = "GLAM_"
DOTENV = ".env"
DOTENV_ENCODING = "utf-8-sig"
"""UTF-8, with or without the mark that some editors put in front."""

Kind: TypeAlias = Literal["argument", "environment", ".env", "default"]


class _Unprefixed(BaseSettings):
    """What is read under the names that other NATS tools use, too."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", env_file_encoding=DOTENV_ENCODING
    )

    nats_user: str | None = None
    nats_password: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a setting's value came from."""

    kind: Kind
    variable: str
    """The environment variable that was, or would be, read."""


Source: TypeAlias = Callable[[], dict[str, Any]]


def variable_of(field: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + field.upper()


def with_unprefixed(
    env: PydanticBaseSettingsSource, dotenv: PydanticBaseSettingsSource
) -> tuple[PydanticBaseSettingsSource, ...]:
    """The environment before ``.env``; in each, the prefixed name before the other one."""
    file = getattr(dotenv, "env_file", None)
    return (
        env,
        EnvSettingsSource(_Unprefixed),
        dotenv,
        DotEnvSettingsSource(_Unprefixed, env_file=file),
    )


def origins(settings: type[BaseSettings], arguments: dict[str, Any]) -> dict[str, Origin]:
    """The origin of every setting, given the arguments that win over all else."""
    env, plain_env, dotenv, plain_dotenv = with_unprefixed(
        EnvSettingsSource(settings), DotEnvSettingsSource(settings)
    )
    found: dict[str, Origin] = {name: Origin("argument", variable_of(name)) for name in arguments}
    in_order: tuple[tuple[Kind, Source, bool], ...] = (
        ("environment", env, True),
        ("environment", plain_env, False),
        (".env", dotenv, True),
        (".env", plain_dotenv, False),
    )
    for kind, source, prefixed in in_order:
        for name in source():
            variable = variable_of(name) if prefixed else name.upper()
            found.setdefault(name, Origin(kind, variable))
    return {
        name: found.get(name, Origin("default", variable_of(name)))
        for name in settings.model_fields
    }


def misspelt(settings: type[BaseSettings]) -> Iterator[tuple[str, str]]:
    """Variables that look like a setting's and are none, each with the one that is meant.

    Others of the same prefix are left alone: a service may have its own.
    """
    known = [variable_of(name) for name in settings.model_fields]
    sources = (EnvSettingsSource(settings), DotEnvSettingsSource(settings))
    found = {variable.upper() for source in sources for variable in source.env_vars}
    for variable in sorted(found.difference(known)):
        close = difflib.get_close_matches(variable, known, n=1, cutoff=0.85)
        if close and variable.startswith(PREFIX):
            yield variable, close[0]
