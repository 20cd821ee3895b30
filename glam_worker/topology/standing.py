"""How the durable of a running worker stands, by what the server says of it now. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.topology import reasons
from glam_worker.topology.drift import consumer_drift, gets_all, position_drift
from glam_worker.topology.ensured import EnsuredConsumer
from glam_worker.topology.records import DurableRecord, declared_record, record_of
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

    @property
    def filtered(self) -> bool:
        """Whether it has other subjects than it must."""
        unsafe = self.consumer.unsafe if self.consumer is not None else ()
        return any(drift.field == "filter" for drift in unsafe)


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
    drift = (*consumer_drift(spec, info), *position_drift(spec, stream, info, record))
    consumer = EnsuredConsumer(spec, info, stream, drift)
    known = (
        spec.way == "lane"
        or record is None
        or (record.moved_to is None and record.same_durable(record_of(stream, info)))
    )
    return Standing(spec, consumer, consumer.problem, known, remarks_of(spec, info))


def followed(known: DurableRecord, standing: Standing) -> DurableRecord:
    """What is recorded of a handler once a durable of it was looked at.

    How far a durable is means nothing while it has the subjects that others gave it.
    """
    consumer, spec = standing.consumer, standing.spec
    if consumer is None:
        return known
    found = declared_record(spec.handler, consumer.stream, consumer.info)
    passes_by = standing.filtered and not gets_all(spec, consumer.info["config"])
    if spec.way == "lane":
        return known.astray(found.created) if passes_by else known
    if not known.same_durable(found) or found.created in known.strayed:
        return known
    if passes_by:  # another version of the service may declare just these subjects
        told = known.filters not in ((), found.filters)
        return known.astray(found.created) if told else known
    return known.brought_up_to(found)


def _missing(spec: ConsumerSpec, record: DurableRecord | None, stream_created: int) -> str:
    known = reasons.why_not_created(spec, record, stream_created) if spec.way == "main" else None
    return known or (
        f"consumer {spec.durable} on stream {spec.stream} is gone; the next start of a worker "
        "creates it, and nothing is lost"
    )


def remarks_of(spec: ConsumerSpec, info: dict[str, Any]) -> tuple[str, ...]:
    """What keeps the events of a durable from coming, and is nobody's mistake."""
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
