"""How the durable of a running worker stands, by what the server says of it now. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.topology import reasons
from glam_worker.topology.drift import consumer_drift
from glam_worker.topology.ensured import EnsuredConsumer
from glam_worker.topology.records import DurableRecord, record_of
from glam_worker.topology.specs import ConsumerSpec


@dataclass(frozen=True, slots=True)
class Standing:
    """A durable at this moment."""

    spec: ConsumerSpec
    consumer: EnsuredConsumer | None
    """None where it is gone, or its stream."""
    problem: str | None
    """Why it must not be pulled."""
    known: bool = True
    """Whether it is the one that was recorded, or one that may be recorded."""
    remarks: tuple[str, ...] = ()
    """What keeps events from coming, and is nobody's mistake."""


def standing_of(
    spec: ConsumerSpec,
    stream: dict[str, Any] | None,
    info: dict[str, Any] | None,
    record: DurableRecord | None,
) -> Standing:
    """Whether a durable is to be pulled."""
    if stream is None:
        return Standing(spec, None, reasons.stream_gone(spec.handler, spec.stream))
    if info is None:
        return Standing(spec, None, _missing(spec, record, nanoseconds(stream["created"])))
    drift = tuple(consumer_drift(spec, info))
    consumer = EnsuredConsumer(spec, info, stream, drift)
    known = (
        spec.way == "lane"
        or record is None
        or (record.moved_to is None and record.same_durable(record_of(stream, info)))
    )
    return Standing(spec, consumer, consumer.problem, known, _remarks(spec, info))


def _missing(spec: ConsumerSpec, record: DurableRecord | None, stream_created: int) -> str:
    known = reasons.why_not_created(spec, record, stream_created) if spec.way == "main" else None
    return known or (
        f"consumer {spec.durable} on stream {spec.stream} is gone; the next start of a worker "
        "creates it, and nothing is lost"
    )


def _remarks(spec: ConsumerSpec, info: dict[str, Any]) -> tuple[str, ...]:
    handler, durable = spec.handler.name, spec.durable
    remarks = []
    if info.get("paused"):
        what = f"handler {handler}" if spec.way == "main" else f"the lane of handler {handler}"
        remarks.append(f"{what} is paused until {info['config'].get('pause_until', '?')}")
    most = int(info["config"].get("max_ack_pending", -1))
    if 0 < most <= int(info.get("num_ack_pending", 0)) and info.get("num_pending"):
        remarks.append(
            f"consumer {durable} has {most} events handed out and not settled, its "
            "max_ack_pending: the server hands out no more; `glam-worker apply` removes the limit"
        )
    return tuple(remarks)
