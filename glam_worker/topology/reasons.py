"""Why a stream or durable is not made, in words: what was found, and what to do. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from glam_shared.messaging.broker_errors import ApiError, BrokerError, PermissionDenied
from glam_worker.declare.handler import Handler
from glam_worker.jetstream.consumers import nanoseconds
from glam_worker.topology.records import DurableRecord
from glam_worker.topology.specs import NS, STATE, ConsumerSpec, StreamSpec

_NO_ROOM = (10047, 10023, 10028)
"""The server, or the account, has not the storage that the stream would reserve."""
_SUBJECTS_OVERLAP = 10065


def why_not_created(
    spec: ConsumerSpec, record: DurableRecord | None, stream_created: int
) -> str | None:
    """Why a durable that is missing must not be created; None for that of a new handler."""
    if record is None:
        return None
    if record.moved_to is not None:
        return (
            f"handler {spec.handler.name} was given up for {record.moved_to}, which works its "
            f"events now; {_decide(spec, 'new|all')}"
        )
    if record.stream != spec.stream:
        return (
            f"handler {spec.handler.name} worked stream {record.stream} so far, and is declared "
            f"for stream {spec.stream} now; {_decide(spec, 'new|all')}"
        )
    if record.stream_created != stream_created:
        return (
            f"stream {spec.stream} was deleted and created anew at {_moment(stream_created)}, and "
            f"consumer {spec.durable} with it; {_decide(spec, 'new|all')}"
        )
    return (
        f"consumer {spec.durable} on stream {spec.stream} was deleted: it was created at "
        f"{_moment(record.created)} and had settled the events up to sequence {record.floor}; "
        f"{_decide(spec, 'floor|new|all')}"
    )


def no_floor(
    spec: ConsumerSpec,
    stream: dict[str, Any] | None,
    record: DurableRecord | None,
    floor: int | None,
) -> str | None:
    """Why a durable cannot go on where it was; None where it can."""
    if stream is None:
        return f"stream {spec.stream} is gone, and the position with it"
    if record is None or record.stream != spec.stream:
        return "its position is one of another stream"
    if record.stream_created != nanoseconds(stream["created"]):
        return f"stream {spec.stream} is another one than that of its position"
    if (floor or 0) > int(stream["state"]["last_seq"]):
        return f"stream {spec.stream} ends before its position: it was restored from a copy"
    return None


def stream_gone(handler: Handler, name: str) -> str:
    """A stream that was there, and whose handlers must not start anew on another one."""
    return (
        f"stream {name} was deleted, with the events of handler {handler.name}; a new one is not "
        "created by itself, because who deleted it should say what becomes of its handlers: "
        f"`{_apply(handler)} new|all` creates it"
    )


def state_unreadable(spec: ConsumerSpec, error: BrokerError) -> str:
    """A durable is missing, and nobody knows whether it ever was there."""
    return (
        f"consumer {spec.durable} on stream {spec.stream} does not exist, and bucket {STATE} "
        f"cannot tell whether it was deleted: {error} It is not created until that is known"
    )


def renamed(spec: ConsumerSpec, old: str) -> str:
    """A handler whose former name still has a durable."""
    return (
        f"handler {spec.handler.name} was called {old} before (previously=), and consumer "
        f"{spec.handler.service}-{old} still has its position: `glam-worker apply MODULE...` "
        f"starts {spec.durable} there and takes its parked retries over"
    )


def made_by_others(spec: ConsumerSpec, info: dict[str, Any]) -> str:
    """A durable that was deleted and made anew between two starts, and not by ``apply``."""
    return (
        f"consumer {spec.durable} on stream {spec.stream} was created anew at {info['created']}, "
        "and not by us; it is used as it is"
    )


def lane_held(spec: ConsumerSpec) -> str:
    """A lane whose subject another lane has: that of the name before, or of who took over."""
    return (
        f"consumer {spec.durable} cannot be created: another lane of service "
        f"{spec.handler.service} takes its retries; `glam-worker apply MODULE...` settles that"
    )


def deleted_before(thing: str, lost: str) -> str:
    """What was there before is created anew, and what it held is lost."""
    return f"{thing} was deleted since the last start; it was created anew, {lost}"


def cannot_create(spec: StreamSpec, error: ApiError) -> str:
    """The server refused to create a stream."""
    advice = "create it by other means, or correct the settings"
    if error.err_code in _NO_ROOM:
        room = spec.config.get("max_bytes", 0) / (1 << 20)
        advice = (
            f"the server reserves {room:.0f} MiB for it: lower GLAM_DLQ_MAX_BYTES, or raise the "
            "server's max_file_store"
        )
    elif error.err_code == _SUBJECTS_OVERLAP:
        held = ", ".join(spec.config["subjects"])
        advice = f"another stream holds part of {held}; name that stream with stream= or settings"
    return f"stream {spec.name} cannot be created: {error.description}; {advice}"


def may_not_create(thing: str, error: PermissionDenied) -> str:
    """It is missing, and this user has no right to make it."""
    return (
        f"{thing} is missing, and this user may not create it: let one who may run `glam-worker "
        f"apply MODULE...` first. ({error})"
    )


def no_stream(handler: Handler, spec: StreamSpec) -> str:
    """No stream holds a handler's subject, and ours would not either."""
    held = " and ".join(spec.config["subjects"])
    return (
        f"handler {handler.name} ({handler.where}): no stream holds the subject "
        f"{handler.subject!r}, and {spec.name} would hold {held} only; create a stream for it "
        "first, or correct the subject"
    )


def lane_of_renamed(spec: ConsumerSpec, old: str) -> str:
    """The lane of a handler that takes over what another one had parked."""
    return f"consumer {spec.durable} is pulled as soon as it takes over the retries of {old}"


def _decide(spec: ConsumerSpec, places: str) -> str:
    return (
        "it is not created by itself, because that would replay or skip events: "
        f"`{_apply(spec.handler)} {places}` says where it begins"
    )


def _apply(handler: Handler) -> str:
    return f"glam-worker apply MODULE... --recreate {handler.name} --from"


def _moment(ns: int) -> str:
    return datetime.fromtimestamp(ns // NS, UTC).isoformat().replace("+00:00", "Z")
