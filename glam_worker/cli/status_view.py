"""A status in words and as a document. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from glam_shared.wording import counted

if TYPE_CHECKING:
    from glam_worker.operate.handlers import Durable
    from glam_worker.operate.status import HandlerStatus, Status, StreamStatus

HANDLERS = (
    *("service", "handler", "state", "pending", "lane", "in flight", "redelivered", "parked"),
    *("letters", "last activity"),
)
STREAMS = ("stream", "messages", "size", "keeps", "replicas", "subjects")


def headline(seen: Status) -> str:
    """The server, and how much there is in all."""
    waiting = sum(one.pending + one.pending_lane for one in seen.handlers)
    return (
        f"nats-server {seen.server_version}: {counted(len(seen.handlers), 'handler')}, "
        f"{counted(waiting, 'event waits', 'events wait')}, {counted(seen.letters, 'dead letter')}"
    )


def handler_row(one: HandlerStatus, now: datetime) -> list[object]:
    """A line of the table."""
    letters = "?" if one.letters is None else one.letters
    return [
        *(one.service, one.handler, state_of(one), one.pending, one.pending_lane, one.in_flight),
        *(one.redelivered, one.parked, letters, _ago(one.last_activity, now)),
    ]


def state_of(one: HandlerStatus) -> str:
    """``paused`` before everything else, so that nobody takes it for stuck."""
    if one.paused_for_ever:
        return "paused"
    if one.paused:
        return f"paused for {duration(one.paused_for)}"
    state = {"none seen": "no worker seen"}.get(one.workers, one.workers)
    return f"{state}, drift" if one.drift else state


def stream_row(one: StreamStatus) -> list[object]:
    """A line of the table."""
    size = size_of(one.size) + (f" of {size_of(one.max_size)}" if one.max_size else "")
    keeps = duration(one.max_age) if one.max_age else "for ever"
    return [one.name, one.messages, size, keeps, one.replicas, " ".join(one.subjects)]


def remarks(seen: Status) -> Iterator[str]:
    """What a person should know."""
    if not seen.handlers:
        yield (
            "no handler has a durable on this server: a worker makes them at its first start; look "
            "at --servers and the account"
        )
    for one in seen.handlers:
        for problem in one.drift:
            yield f"handler {one.handler} of {one.service}: {problem}"
    for stream in seen.streams:
        for problem in stream.trouble:
            yield f"stream {stream.name}: {problem}"
    if any(one.letters is None for one in seen.handlers):
        yield "whose the letters are is not counted, there are too many: see `glam-worker dlq list`"
    yield from seen.notes


def size_of(size: int) -> str:
    """Bytes in the largest unit that leaves a whole part."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def duration(seconds: float) -> str:
    """Roughly: ``42 s``, ``10 min``, ``3 h``, ``7 d``."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _ago(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "never"
    return f"{duration(max(0.0, (now - moment).total_seconds()))} ago"


# --- for programs ---


def described_status(seen: Status) -> dict[str, Any]:
    """The document of ``--json``."""
    return {
        "at": _text(seen.at),
        "server_version": seen.server_version,
        "letters": seen.letters,
        "handlers": [_handler(one) for one in seen.handlers],
        "streams": [_stream(one) for one in seen.streams],
        "notes": list(seen.notes),
    }


def _handler(one: HandlerStatus) -> dict[str, Any]:
    return {
        "service": one.service,
        "handler": one.handler,
        "stream": one.stream,
        "subject": one.subject,
        "pending": one.pending,
        "pending_lane": one.pending_lane,
        "in_flight": one.in_flight,
        "redelivered": one.redelivered,
        "parked": one.parked,
        "letters": one.letters,
        "last_activity": _text(one.last_activity),
        "workers": one.workers,
        "paused": one.paused,
        "paused_seconds": None if one.paused_for_ever else round(one.paused_for, 3),
        "drift": list(one.drift),
        "durables": [_durable(durable) for durable in one.durables],
    }


def _durable(durable: Durable) -> dict[str, Any]:
    info = durable.info
    return {
        "durable": durable.name,
        "way": durable.way,
        "stream": durable.stream,
        "pending": info.get("num_pending", 0),
        "in_flight": info.get("num_ack_pending", 0),
        "redelivered": info.get("num_redelivered", 0),
        "pull_requests": info.get("num_waiting", 0),
        "paused": bool(info.get("paused")),
    }


def _stream(one: StreamStatus) -> dict[str, Any]:
    return {
        "stream": one.name,
        "subjects": list(one.subjects),
        "messages": one.messages,
        "bytes": one.size,
        "max_bytes": one.max_size,
        "max_age_seconds": one.max_age,
        "replicas": one.replicas,
        "trouble": list(one.trouble),
    }


def _text(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
