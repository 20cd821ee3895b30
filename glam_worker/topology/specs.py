"""The streams and consumers that declarations and settings ask for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from glam_worker.declare.handler import Handler
from glam_worker.runtime.protocols import Way
from glam_worker.settings import Settings

NS = 1_000_000_000

EVENT_SUBJECTS = ("evt.>", "cmd.>")
RETRY_SUBJECTS = ("retry.>",)
DLQ_SUBJECTS = ("dlq.>",)
PLACEHOLDER = "glam-moving.>"
"""What the stream of dead letters holds until another stream has let go of ``dlq.>``."""

OWNER_SERVICE = "glam.service"
OWNER_HANDLER = "glam.handler"
OWNER_WAY = "glam.way"


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """A stream as it is created."""

    name: str
    config: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """A durable as it is created; on the server it is told by ``stream`` and ``durable``."""

    handler: Handler
    way: Way
    stream: str
    durable: str
    config: dict[str, Any] = field(hash=False)


def events_stream(settings: Settings) -> StreamSpec:
    """Where events are published to; seven days, duplicates of two minutes are dropped."""
    return _stream(
        settings.events_stream,
        EVENT_SUBJECTS,
        settings,
        retention="limits",
        discard="old",
        max_age=int(settings.events_max_age * NS),
        duplicate_window=120 * NS,
    )


def retry_stream(settings: Settings, replicas: int, storage: str) -> StreamSpec:
    """Where retries are parked (ADR-51). No limits: schedules forbid ``discard new``, so that a
    limit would drop parked events behind a good PubAck."""
    return _stream(
        settings.retry_stream,
        RETRY_SUBJECTS,
        settings,
        retention="workqueue",
        discard="old",
        allow_msg_schedules=True,
        duplicate_window=1800 * NS,
        num_replicas=max(settings.stream_replicas, replicas),
        storage=storage,
    )


def dlq_stream(settings: Settings, replicas: int, storage: str) -> StreamSpec:
    """Where dead letters lie until somebody works through them."""
    return _stream(
        settings.dlq_stream,
        DLQ_SUBJECTS,
        settings,
        retention="limits",
        discard="new",
        max_bytes=settings.dlq_max_bytes,
        duplicate_window=1800 * NS,
        num_replicas=max(settings.stream_replicas, replicas),
        storage=storage,
    )


CLAIMS = "GLAM_CLAIMS"
"""Bucket of what idempotent handlers have handled."""
LEDGER = "GLAM_LEDGER"
"""Bucket of what became of deliveries that were not the first of their carrier."""
LEDGER_KEPT = 7 * 86_400.0
"""Seconds a record is kept after it was last written."""
STATE = "GLAM_STATE"
"""Bucket of what was created; without time to live."""


def bucket(
    name: str, max_age: float, settings: Settings, replicas: int, storage: str
) -> StreamSpec:
    """A key-value bucket (ADR-8): one value a key, kept for ``max_age`` seconds after its write.

    0: kept for ever.
    """
    return StreamSpec(
        f"KV_{name}",
        {
            "name": f"KV_{name}",
            "subjects": [f"$KV.{name}.>"],
            "storage": storage,
            "num_replicas": max(settings.stream_replicas, replicas),
            "retention": "limits",
            "discard": "new",
            "max_msgs_per_subject": 1,
            "max_age": int(max_age * NS),
            "duplicate_window": int(min(120.0, max_age or 120.0) * NS),
            "allow_rollup_hdrs": True,
            "deny_delete": True,
        },
    )


def own_streams(settings: Settings) -> tuple[str, ...]:
    """The names of the streams that are created here."""
    named = (settings.events_stream, settings.retry_stream, settings.dlq_stream)
    return (*named, f"KV_{CLAIMS}", f"KV_{LEDGER}", f"KV_{STATE}")


def _stream(name: str, subjects: tuple[str, ...], settings: Settings, **config: Any) -> StreamSpec:
    base = {
        "name": name,
        "subjects": list(subjects),
        "storage": settings.stream_storage,
        "num_replicas": settings.stream_replicas,
    }
    return StreamSpec(name, base | config)


def durable_of(service: str, handler: str, way: Way = "main") -> str:
    """The name of a handler's durable; its lane has one of its own."""
    return f"{service}-{handler}-lane" if way == "lane" else f"{service}-{handler}"


def filters_of(config: Mapping[str, Any]) -> list[str]:
    """The subjects that a durable of this configuration gets."""
    return list(config.get("filter_subjects") or [config.get("filter_subject") or ">"])


def due_subject(service: str, handler: str) -> str:
    """Where parked events come back."""
    return f"retry.due.{service}.{handler}"


def wait_subject(service: str, handler: str, carrier: str) -> str:
    """Where an event is parked; no consumer may match it, its ack would cancel the schedule."""
    return f"retry.wait.{service}.{handler}.{carrier}"


def main_consumer(handler: Handler, stream: str) -> ConsumerSpec:
    """The durable of a handler on its events' stream."""
    options, service = handler.options, handler.service
    config = _consumer(service, handler.name, options.ack_wait, "main", [handler.subject])
    config |= _start(handler)
    return ConsumerSpec(handler, "main", stream, config["durable_name"], config)


def lane_consumer(handler: Handler, settings: Settings, also: Sequence[str] = ()) -> ConsumerSpec:
    """The durable of a handler's lane on the retry stream: its own, and those of former names."""
    former = (*handler.options.previously, *also)
    config = lane_config(handler.service, handler.name, handler.options.ack_wait, former)
    return ConsumerSpec(handler, "lane", settings.retry_stream, config["durable_name"], config)


def lane_config(
    service: str, handler: str, ack_wait: float, former: Sequence[str] = ()
) -> dict[str, Any]:
    """A lane's durable as it is created; ``ack_wait`` in seconds, ``former`` names of it."""
    subjects = [due_subject(service, name) for name in dict.fromkeys((handler, *former))]
    config = _consumer(service, handler, ack_wait, "lane", subjects)
    return config | {"deliver_policy": "all"}


def _consumer(
    service: str, handler: str, ack_wait: float, way: Way, subjects: list[str]
) -> dict[str, Any]:
    several = len(subjects) > 1  # the server takes one of the two fields only
    return {
        "durable_name": durable_of(service, handler, way),
        **({"filter_subjects": subjects} if several else {"filter_subject": subjects[0]}),
        "ack_policy": "explicit",
        "ack_wait": int(ack_wait * NS),
        "max_deliver": -1,
        "max_ack_pending": -1,
        "replay_policy": "instant",
        "metadata": {OWNER_SERVICE: service, OWNER_HANDLER: handler, OWNER_WAY: way},
    }


def _start(handler: Handler) -> dict[str, Any]:
    start = handler.options.start
    if isinstance(start, datetime):
        moment = start.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return {"deliver_policy": "by_start_time", "opt_start_time": moment}
    return {"deliver_policy": start}
