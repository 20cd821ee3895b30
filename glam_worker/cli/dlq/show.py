"""``glam-worker dlq show``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from glam_worker.cli.failing import explained
from glam_worker.cli.options import Json, Servers
from glam_worker.cli.printing import document, visible

if TYPE_CHECKING:
    from glam_shared.messaging.dead_letter import DeadLetter
    from glam_worker.jetstream.stored_letters import StoredLetter
    from glam_worker.settings import Settings

Letter = Annotated[
    str,
    typer.Argument(metavar="LETTER", help="As `dlq list` shows it: GLAM_DLQ:17. Or an event's id."),
]


def show(letter: Letter, servers: Servers = None, as_json: Json = False) -> None:
    """Show all there is of a dead letter: why, payload, headers, traceback, how to replay it.

    Example: glam-worker dlq show GLAM_DLQ:17
    """
    from glam_worker.settings import Settings  # noqa: PLC0415 - --help stays quick

    with explained():
        settings = Settings.load(nats_servers=servers)
        asyncio.run(_show(settings, letter, as_json=as_json))


async def _show(settings: Settings, letter_id: str, *, as_json: bool) -> None:
    from glam_shared.messaging import JetStreamClient  # noqa: PLC0415 - loads the client
    from glam_worker.cli.connecting import connected  # noqa: PLC0415
    from glam_worker.operate.describing import described_letter  # noqa: PLC0415
    from glam_worker.operate.letter_head import group_of  # noqa: PLC0415
    from glam_worker.operate.letters import find_letter  # noqa: PLC0415

    async with connected(JetStreamClient, settings) as client:
        letter = await find_letter(client, letter_id)
    record = letter.record
    group = group_of(record)
    if as_json:
        document(described_letter(letter, record, group))
        return
    for line in _told(letter, record, group):
        typer.echo(line)


def _told(letter: StoredLetter, record: DeadLetter, group: str) -> Iterator[str]:
    """Line by line; nothing in them can act on a terminal."""
    for title, lines in (
        ("", _facts(letter, record, group)),
        ("Failed before", _past(record)),
        ("Traceback", _traceback(record)),
        ("Headers", (f"{name}: {value}" for name, value in record.headers.items())),
        ("Payload", _payload(letter, record)),
        ("To replay it", _replaying(letter, record, group)),
    ):
        shown = [visible(line) for line in lines]
        if title and shown:
            yield ""
            yield title
        yield from (f"  {line}" if title else line for line in shown)


def _facts(letter: StoredLetter, record: DeadLetter, group: str) -> Iterator[str]:
    origin = f"{record.stream}:{record.sequence}" if record.stream else ""
    error = ": ".join(part for part in (record.error, record.message) if part)
    for name, value in (
        ("letter", letter.id),
        ("group", group),
        ("service", record.service),
        ("handler", record.handler),
        ("reason", record.reason or "not said"),
        ("attempts", record.attempts or ""),
        ("failed at", record.failed_at.isoformat() if record.failed_at else ""),
        ("error", error),
        ("subject", record.subject),
        ("origin", origin),
        ("event id", record.event_id),
        ("correlation", record.correlation_id),
    ):
        if value:
            yield f"{name:<12}{value}"


def _past(record: DeadLetter) -> Iterator[str]:
    for past in record.replays:
        at = past.failed_at.isoformat() if past.failed_at else "some time"
        yield f"{at}  {past.reason or 'unknown'} after {past.attempts} attempts: {past.error}"


def _traceback(record: DeadLetter) -> list[str]:
    from glam_shared.messaging.headers import many_lines  # noqa: PLC0415

    return many_lines(record.traceback).splitlines()


def _payload(letter: StoredLetter, record: DeadLetter) -> list[str]:
    from glam_worker.operate.describing import moment, read_json  # noqa: PLC0415

    if record.reference is not None:
        kept = record.reference.kept_until
        place = f"stream {record.stream}, sequence {record.sequence}"
        until = f", until {moment(kept.timestamp())}" if kept else ""
        return [f"too large for a letter: it stayed in {place}{until}"]
    value = read_json(letter.body)
    if value is not None:
        return json.dumps(value, indent=2, ensure_ascii=False).splitlines()
    if not letter.body:
        return ["(empty)"]
    return letter.body.decode("utf-8", "backslashreplace").splitlines()


def _replaying(letter: StoredLetter, record: DeadLetter, group: str) -> Iterator[str]:
    if not (record.service and record.handler):
        yield (
            "it does not say which handler failed: no worker wrote it. Publish its event to "
            f"{record.subject} again; all its handlers will see it"
        )
        return
    yield f"glam-worker dlq replay {letter.id}"
    yield f"glam-worker dlq replay --group {group}    (with all that failed alike)"
