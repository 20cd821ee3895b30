"""Every metric of a worker: its name, what it means, and how processes' values are joined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

PREFIX = "glam_worker_"

Join: TypeAlias = Literal["sum", "max", "min"]
Kind: TypeAlias = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. ``join`` says what several processes' values of one series make."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    join: Join = "sum"


_HANDLER = ("service", "handler")
_WAY = ("service", "handler", "way")

FAMILIES = (
    Family("messages_received", "counter", "Deliveries that arrived.", _WAY),
    Family("messages_settled", "counter", "Deliveries settled.", (*_WAY, "outcome")),
    Family("handler_duration_seconds", "histogram", "Reading and running one event.", _WAY),
    Family("queue_time_seconds", "histogram", "From received to started.", _WAY),
    Family("event_age_seconds", "histogram", "From stored in the stream to settled.", _WAY),
    Family("failures", "counter", "Runs that failed, by error.", (*_WAY, "error_type")),
    Family("dead_letters", "counter", "Events dead-lettered.", (*_HANDLER, "reason")),
    Family("settlements_refused", "counter", "Parks and letters the broker refused.", _WAY),
    Family("parked", "gauge", "Retries parked until due.", _HANDLER, "max"),
    Family("parked_overdue", "gauge", "Parked retries past their time.", _HANDLER, "max"),
    Family("slots", "gauge", "Slots of handlers.", (*_HANDLER, "state")),
    Family("credits_outstanding", "gauge", "Messages asked for, not yet arrived.", _WAY),
    Family("in_flight_bytes", "gauge", "Bytes of messages in hand.", _WAY),
    Family("lease_renewals", "counter", "In-progress acks sent.", _WAY),
    Family("lease_lost", "counter", "Deliveries that may be another worker's by now.", _WAY),
    Family(
        "dropped_by_stream", "counter", "Events the stream let go unsettled.", (*_HANDLER, "state")
    ),
    Family("redelivered", "counter", "Deliveries that were not the first.", _WAY),
    Family("consumer_pending", "gauge", "Messages the server has waiting.", _WAY, "max"),
    Family("consumer_ack_pending", "gauge", "Messages handed out, not settled.", _WAY, "max"),
    Family(
        "consumer_ack_pending_limit", "gauge", "Most of them; +Inf without a limit.", _WAY, "max"
    ),
    Family("consumer_redelivered", "gauge", "Unsettled messages handed out again.", _WAY, "max"),
    Family("consumer_paused", "gauge", "1 while the handler is paused.", _WAY, "max"),
    Family(
        "time_to_drain_seconds", "gauge", "Backlog by the rate of all workers.", _HANDLER, "max"
    ),
    Family("desired_replicas", "gauge", "Processes that the load wants.", _HANDLER, "max"),
    Family("pull_loop_alive", "gauge", "1 while events are pulled.", _WAY, "min"),
    Family("event_loop_lag_seconds", "gauge", "How late the event loop runs.", ("service",), "max"),
    Family("connection_up", "gauge", "1 while connected.", ("service",), "min"),
    Family("reconnects", "counter", "Connections re-established.", ("service",)),
    Family("dlq_depth", "gauge", "Letters in the dead-letter stream.", ("service",), "max"),
    Family("dlq_oldest_seconds", "gauge", "Age of the oldest letter.", ("service",), "max"),
    Family("processes", "gauge", "Processes of `run --processes`.", ("service", "state")),
    Family("build", "gauge", "Version of the worker.", ("service", "version", "python"), "max"),
)
