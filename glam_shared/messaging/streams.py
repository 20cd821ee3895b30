"""Streams, as far as a service needs them: made if missing, counted, deleted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from nats.js.api import StreamConfig

from glam_shared.errors import ConfigurationError
from glam_shared.logging import ServiceLogger
from glam_shared.messaging.broker_errors import ApiError
from glam_shared.messaging.jetstream_api import JetStreamApi

_EXISTS_OTHERWISE = 10058
"""err_code; of a stream that exists just so, STREAM.CREATE answers the information."""


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """A stream and how much it holds."""

    name: str
    subjects: tuple[str, ...]
    messages: int
    bytes: int

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Self:
        """From the answer to `STREAM.INFO` or `STREAM.CREATE`."""
        config, state = info["config"], info["state"]
        subjects = tuple(config.get("subjects") or ())
        return cls(config["name"], subjects, state["messages"], state["bytes"])


class Streams:
    """Creates what is missing and never changes what exists."""

    def __init__(self, api: JetStreamApi, log: logging.Logger | ServiceLogger) -> None:
        self._api = api
        self._log = log

    async def ensure(
        self, name: str, subjects: Sequence[str], config: Mapping[str, Any]
    ) -> StreamSummary:
        """The stream, created with *config* unless it exists."""
        wanted = _request(name, subjects, config)
        try:
            info = await self._api.call(f"STREAM.CREATE.{name}", wanted, 5.0)
        except ApiError as error:
            if error.err_code != _EXISTS_OTHERWISE:
                raise
            info = await self._api.call(f"STREAM.INFO.{name}", None, 5.0)
            self._say_differences(name, wanted, info["config"])
        return StreamSummary.of(info)

    async def summary(self, name: str) -> StreamSummary:
        """The stream as it is. Raises NotFound."""
        return StreamSummary.of(await self._api.call(f"STREAM.INFO.{name}", None, 5.0))

    async def delete(self, name: str) -> None:
        """Delete the stream. Raises NotFound."""
        await self._api.call(f"STREAM.DELETE.{name}", None, 5.0)

    def _say_differences(
        self, name: str, wanted: Mapping[str, Any], found: Mapping[str, Any]
    ) -> None:
        different = {
            key: found.get(key) for key in wanted if not _same(wanted[key], found.get(key))
        }
        if different:
            self._log.warning(
                "Stream %s exists and is used as it is; it differs in %s", name, different
            )


def _request(name: str, subjects: Sequence[str], config: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for, in the server's words (durations in nanoseconds), and nothing else."""
    try:
        full = StreamConfig(name=name, subjects=list(subjects), **config).as_dict()
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"The configuration of stream {name} is wrong: {error}") from error
    return {key: full[key] for key in ("name", "subjects", *config) if key in full}


def _same(wanted: Any, found: Any) -> bool:
    """The server leaves out what has its zero value."""
    return bool(wanted == found) or (found is None and not wanted)
