"""``glam-worker publish``."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glam_worker.cli.failing import explained
from glam_worker.cli.options import Json, Servers
from glam_worker.cli.printing import document, note

if TYPE_CHECKING:
    from pydantic import BaseModel

    from glam_worker.settings import Settings


def _subjects(incomplete: str) -> list[str]:
    from glam_shared.messaging.subjects import Subjects  # noqa: PLC0415 - on the tab key only

    return [str(subject) for subject in Subjects if str(subject).startswith(incomplete)]


def publish(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT",
            help="What happened, such as evt.merchant.created.v1.",
            autocompletion=_subjects,
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="JSON|@FILE|-", help="The payload: a JSON object, a file, or standard input."
        ),
    ],
    correlation_id: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Default: a new one.")
    ] = None,
    metadata: Annotated[
        str | None, typer.Option(metavar="JSON|@FILE", help="The envelope's free part.")
    ] = None,
    event_id: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Default: a new one. Published twice within the stream's duplicate window, an id "
            "is stored once.",
        ),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The event's source service. [GLAM_SERVICE; default: glam-worker]",
        ),
    ] = None,
    servers: Servers = None,
    as_json: Json = False,
) -> None:
    """Publish one event, in an envelope, and wait until a stream has it.

    The data of a subject of the catalogue is checked against its payload first; any other subject
    takes any JSON object that is not empty.

    Example: glam-worker publish evt.order.placed.v1 --data '{"id": "o1"}'
    """
    from glam_worker.cli import event_input  # noqa: PLC0415 - --help stays quick
    from glam_worker.settings import Settings  # noqa: PLC0415

    with explained():
        settings = Settings.load(service=service, nats_servers=servers)
        event_input.check_subject(subject)
        event_input.check_id("--event-id", event_id)
        event_input.check_id("--correlation-id", correlation_id)
        text = event_input.read_source("--data", data)
        payload = event_input.read_payload(subject, text)
        free = event_input.read_source("--metadata", metadata or "{}")
        fields: dict[str, Any] = {
            "correlation_id": correlation_id,
            "metadata": event_input.read_object("--metadata", free),
            "event_id": event_id,
        }
        for name in event_input.left_out(payload, text):
            note(f"glam-worker: warning: {subject} has no field {name}: it is left out")
        _print(asyncio.run(_publish(settings, subject, payload, fields)), as_json=as_json)


async def _publish(
    settings: Settings,
    subject: str,
    payload: BaseModel | dict[str, Any],
    fields: dict[str, Any],
) -> dict[str, Any]:
    from glam_shared.messaging import EventPublisher  # noqa: PLC0415 - loads the client
    from glam_worker.cli.connecting import connected  # noqa: PLC0415
    from glam_worker.cli.publish_client import AckKeeper, require_stream  # noqa: PLC0415

    async with connected(AckKeeper, settings) as client:
        await require_stream(client, subject)
        log = logging.getLogger("glam_worker.cli.publish")
        log.disabled = True  # what it would say is in the result
        publisher = EventPublisher(client, settings.service or "glam-worker", log)
        event_id = await publisher.publish_event(subject, payload, **fields)
        return {
            "event_id": event_id,
            "subject": subject,
            "stream": client.ack.stream,
            "sequence": client.ack.seq,
            "duplicate": client.ack.duplicate,
        }


def _print(stored: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        document(stored)
        return
    typer.echo(f"event id  {stored['event_id']}")
    typer.echo(f"stream    {stored['stream']}")
    typer.echo(f"sequence  {stored['sequence']}")
    if stored["duplicate"]:
        note("glam-worker: the stream had an event of this id already; nothing was added")
