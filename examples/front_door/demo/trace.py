"""One correlation id, from the request to the last event that came of it.

What is shown was written by others: the front door's log, the events' stream, the worker's log.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from glam_shared.messaging import EventEnvelope, JetStreamClient

EVENTS = "GLAM_EVENTS"


@dataclass(frozen=True)
class Step:
    """Something that happened under the id."""

    at: datetime
    rank: int
    """Tells what comes first of what happened in one millisecond."""
    where: str
    what: str


@dataclass(frozen=True)
class StoredEvent:
    """An event as it lies in the stream."""

    sequence: int
    at: datetime
    envelope: EventEnvelope


def lines(log: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a log; the last may not be complete yet."""
    for line in log.read_text(errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                yield found


async def stored_events(client: JetStreamClient) -> list[StoredEvent]:
    """All events of the stream."""
    count = (await client.get_stream_info(EVENTS)).messages
    events = []
    for sequence in range(1, count + 1):
        message = await client.js.get_msg(EVENTS, sequence)
        assert message.data is not None
        assert message.time is not None
        envelope = EventEnvelope.from_bytes(message.data)
        events.append(StoredEvent(sequence, message.time, envelope))
    return events


async def trace(
    client: JetStreamClient, correlation_id: str, front_door: Path, worker: Path
) -> list[Step]:
    """What happened under this id, in order."""
    requests = [line for line in lines(front_door) if line.get("correlation_id") == correlation_id]
    runs = [line for line in lines(worker) if line.get("correlation_id") == correlation_id]
    steps = [
        *(step for line in requests for step in _of_request(line)),
        *(
            _of_event(event)
            for event in await stored_events(client)
            if event.envelope.correlation_id == correlation_id
        ),
        *(_of_run(line) for line in runs),
    ]
    return sorted(steps, key=lambda step: (step.at, step.rank))


def _of_request(line: dict[str, Any]) -> Iterator[Step]:
    end = _time(line)
    if line["message"] != "Request":
        yield Step(end, 2, line["logger"], line["message"])
        return
    took = line["duration_ms"]
    begin = end - timedelta(milliseconds=took)
    yield Step(begin, 0, line["logger"], f"{line['method']} {line['route']}")
    yield Step(end, 3, line["logger"], f"answers {line['status']} after {took:.0f} ms")


def _of_event(event: StoredEvent) -> Step:
    envelope = event.envelope
    cause = envelope.metadata.get("causation_id")
    because = f", because of {str(cause)[:8]}" if cause else ""
    what = (
        f"stores {envelope.event_type} as {event.sequence}: event {envelope.event_id[:8]}{because}"
    )
    return Step(_whole(event.at), 1, "broker", what)


def _of_run(line: dict[str, Any]) -> Step:
    event = line["event_id"][:8]
    if line["logger"] != "glam_worker.events":
        return Step(_time(line), 2, line["service"], f"{line['handler']} logs: {line['message']}")
    what = f"{line['handler']} on {event}, run {line['attempt']}: {line['message']}"
    return Step(_time(line), 4, line["service"], what)


def _time(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(line["timestamp"])


def _whole(at: datetime) -> datetime:
    """Without the part of a millisecond, which log lines do not have."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
