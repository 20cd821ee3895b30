"""Checks of where dead letters lie."""

from __future__ import annotations

from collections.abc import Iterator

from glam_worker.doctor.findings import Finding, error, info, warning
from glam_worker.doctor.server import FULL, NEARLY
from glam_worker.doctor.snapshot import Snapshot

_HOUR = 3600.0


def letters_stream(seen: Snapshot) -> Iterator[Finding]:
    """Some stream must take letters, and it should be theirs alone."""
    stream = seen.letters_stream
    if stream is None:
        if seen.ours and not seen.hidden(f"STREAM.INFO.{seen.names.letters}"):
            yield error(
                f"stream {seen.names.letters}",
                "does not exist, and no other stream takes dlq.>",
                "a letter is refused: its event runs again every 30 s",
                "restart a worker, which creates it",
            )
    elif stream.name != seen.names.letters:
        age = f"{stream.max_age / _HOUR:g} h" if stream.max_age else "no limit of age"
        bounded = stream.max_age or stream.fullness()[1]
        yield (error if bounded else warning)(
            stream.thing,
            f"holds the dead letters beside the events ({age})",
            "letters are dropped by the events' age and limits, read or not",
            f"glam-worker apply MODULE... moves them to {seen.names.letters}",
        )


def letters_discard(seen: Snapshot) -> Iterator[Finding]:
    """A full stream of letters must refuse, or it drops the oldest in silence."""
    stream = seen.letters_stream
    if stream is None or stream.name != seen.names.letters:
        return
    limits = [
        limit for limit in ("max_msgs", "max_bytes", "max_msgs_per_subject") if stream.limit(limit)
    ]
    if limits and stream.config.get("discard", "old") == "old":
        yield error(
            stream.thing,
            f"has discard=old with {' and '.join(limits)}",
            "when it is full, letters are dropped with no trace",
            f"nats stream edit {stream.name} --discard=new",
        )


def letters_age(seen: Snapshot) -> Iterator[Finding]:
    """A letter that is dropped is an event lost."""
    stream = seen.letters_stream
    if stream is None or stream.name != seen.names.letters or not stream.max_age:
        return
    soon = bool(seen.letters.count) and seen.letters.oldest >= NEARLY * stream.max_age
    yield (error if soon else warning)(
        stream.thing,
        f"drops letters after {stream.max_age / _HOUR:g} h"
        + (f"; the oldest is {_age(seen.letters.oldest)} old" if seen.letters.count else ""),
        "nobody is told of a letter that was dropped",
        f"nats stream edit {stream.name} --max-age=0; or replay and drop letters in time",
    )


def letters_room(seen: Snapshot) -> Iterator[Finding]:
    """What is full refuses letters."""
    stream = seen.letters_stream
    if stream is None or stream.name != seen.names.letters:
        return
    part, limit = stream.fullness()
    if part >= NEARLY:
        yield (error if part >= FULL else warning)(
            stream.thing,
            f"is at {part:.0%} of {limit}={stream.limit(limit)}",
            "when it is full, letters are refused and their events come again every 30 s",
            "glam-worker dlq list, then dlq replay or dlq drop; or raise its max_bytes",
        )


def letters_waiting(seen: Snapshot) -> Iterator[Finding]:
    """Events that nobody has handled."""
    if seen.letters.count:
        stream = seen.letters_stream
        yield info(
            stream.thing if stream else "the dead letters",
            f"has {seen.letters.count} dead letters, the oldest {_age(seen.letters.oldest)} old",
            "each is an event that no handler has handled",
            "glam-worker dlq list, then dlq replay or dlq drop",
        )


def _age(seconds: float) -> str:
    if seconds < _HOUR:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / _HOUR:.0f} h" if seconds < 48 * _HOUR else f"{seconds / 24 / _HOUR:.0f} d"
