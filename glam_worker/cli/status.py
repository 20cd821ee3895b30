"""``glam-worker status``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from glam_worker.cli.failing import explained
from glam_worker.cli.options import Json, Servers
from glam_worker.cli.printing import document, note

if TYPE_CHECKING:
    from glam_worker.operate.status import Status
    from glam_worker.settings import Settings

_EVERY = 2.0
"""Seconds between two looks of ``--watch``."""


def status(
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this service only. Default: of all.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every 2 seconds, until Ctrl-C.")
    ] = False,
    servers: Servers = None,
    as_json: Json = False,
) -> None:
    """Show streams and handlers: what waits, is worked, parked, dead or paused. Needs no module.

    Example: glam-worker status --watch
    """
    from glam_worker.errors import UsageError  # noqa: PLC0415 - --help stays quick
    from glam_worker.settings import Settings  # noqa: PLC0415

    with explained():
        if watch and as_json:
            raise UsageError("--json prints one document; leave out --watch")
        settings = Settings.load(nats_servers=servers)
        asyncio.run(_status(settings, service, watch=watch, as_json=as_json))


async def _status(settings: Settings, service: str | None, *, watch: bool, as_json: bool) -> None:
    from glam_shared.messaging import JetStreamClient  # noqa: PLC0415 - loads the client
    from glam_worker.cli.connecting import connected  # noqa: PLC0415
    from glam_worker.cli.status_view import described_status  # noqa: PLC0415
    from glam_worker.operate.status import Statuses  # noqa: PLC0415

    async with connected(JetStreamClient, settings) as client:
        statuses = Statuses(client, settings.retry_stream, service)
        while True:
            seen = await statuses.look()
            if as_json:
                document(described_status(seen))
                return
            _print(seen, clear=watch)
            if not watch:
                return
            await asyncio.sleep(_EVERY)


def _print(seen: Status, *, clear: bool) -> None:
    from glam_worker.cli import status_view  # noqa: PLC0415
    from glam_worker.cli.printing import clear_screen, table  # noqa: PLC0415

    if clear:
        clear_screen()
    typer.echo(status_view.headline(seen))
    typer.echo()
    if seen.handlers:
        table(
            status_view.HANDLERS, [status_view.handler_row(one, seen.at) for one in seen.handlers]
        )
        typer.echo()
    if seen.streams:
        table(status_view.STREAMS, [status_view.stream_row(one) for one in seen.streams])
    for line in status_view.remarks(seen):
        note(f"glam-worker: {line}")
