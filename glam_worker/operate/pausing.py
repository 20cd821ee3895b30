"""Pauses and resumes handlers at the server: for all their workers at once.

A paused consumer hands out nothing, redeliveries included, until its time; acks are still taken
(NATS 2.11, ``CONSUMER.PAUSE``). What a worker holds at that moment is worked to its end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import ApiError
from glam_worker.errors import NotThereError
from glam_worker.operate.handlers import Durable, KnownHandler
from glam_worker.topology.specs import NS

FOR_EVER = 100 * 365 * 86_400.0
"""Seconds of a pause without an end: the server wants one, and counts ns in 64 bits."""


@dataclass(frozen=True, slots=True)
class Paused:
    """A durable after it was paused or resumed."""

    durable: Durable
    until: datetime | None
    """None: it is not paused."""


def remaining(info: dict[str, Any]) -> float:
    """Seconds that a durable stays paused; 0 if it is not."""
    return int(info.get("pause_remaining") or 0) / NS if info.get("paused") else 0.0


def has_no_end(seconds: float) -> bool:
    """Whether a pause ends only when somebody resumes."""
    return seconds > FOR_EVER / 2


async def pause(
    client: JetStreamClient, handler: KnownHandler, seconds: float = FOR_EVER
) -> list[Paused]:
    """Pause a handler, its lane too, for some seconds of the server's time.

    Can be repeated: the last one counts. Raises BrokerError, NotThereError for a durable that was
    deleted meanwhile.
    """
    now = await _time(client, handler.durables[0])
    until = now + timedelta(seconds=min(seconds, FOR_EVER))
    return [await _set(client, durable, until) for durable in handler.durables]


async def resume(client: JetStreamClient, handler: KnownHandler) -> list[Paused]:
    """End a pause at once; harmless where there is none. Raises like ``pause``."""
    return [await _set(client, durable, None) for durable in handler.durables]


async def _time(client: JetStreamClient, durable: Durable) -> datetime:
    with _named(durable):
        return await client.ask_time(f"CONSUMER.INFO.{durable.stream}.{durable.name}")


async def _set(client: JetStreamClient, durable: Durable, until: datetime | None) -> Paused:
    body = {} if until is None else {"pause_until": until.isoformat().replace("+00:00", "Z")}
    with _named(durable):
        answer = await client.api(f"CONSUMER.PAUSE.{durable.stream}.{durable.name}", body)
    return Paused(durable, until if answer.get("paused") else None)


@contextlib.contextmanager
def _named(durable: Durable) -> Iterator[None]:
    """Raises NotThereError where the server does not know the durable."""
    try:
        yield
    except ApiError as error:
        if error.api_code != 404:
            raise
        raise NotThereError(
            f"consumer {durable.name} of handler {durable.handler} is gone from stream "
            f"{durable.stream} meanwhile; see `glam-worker status`"
        ) from error
