"""``glam-worker console``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from glam_worker.cli.failing import explained
from glam_worker.cli.options import Servers
from glam_worker.cli.printing import note

if TYPE_CHECKING:
    from socket import socket

    from glam_worker.console.access import Access
    from glam_worker.settings import Settings


def console(
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Address to listen on; others need the token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 9465,
    metrics: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="A worker's /metrics, for latencies. Can be repeated."),
    ] = None,
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this service only. Default: of all.")
    ] = None,
    servers: Servers = None,
) -> None:
    """Serve a page about handlers and dead letters. Needs no module.

    Acting (replay, drop, pause, resume) needs GLAM_CONSOLE_TOKEN, 32 bytes or more.

    Example: GLAM_CONSOLE_TOKEN=$(openssl rand -hex 32) glam-worker console
    """
    from glam_worker.errors import MissingExtraError  # noqa: PLC0415 - --help stays quick
    from glam_worker.observe.logging_setup import set_up_logging  # noqa: PLC0415
    from glam_worker.settings import Settings  # noqa: PLC0415

    with explained():
        try:
            from glam_worker.console.access import Access  # noqa: PLC0415
            from glam_worker.console.serving import listening  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"the console needs {error.name}; install it: pip install 'glam-worker[http]'"
            ) from error
        settings = Settings.load(nats_servers=servers)
        set_up_logging(settings.log_level, settings.log_format)
        token = settings.console_token
        access = Access(None if token is None else token.get_secret_value(), host)
        with listening(host, port) as listener:
            asyncio.run(_console(settings, access, service, metrics or [], listener))


async def _console(
    settings: Settings,
    access: Access,
    service: str | None,
    metrics: list[str],
    listener: socket,
) -> None:
    from glam_shared.messaging import JetStreamClient  # noqa: PLC0415 - loads the client
    from glam_worker.cli.connecting import connected  # noqa: PLC0415
    from glam_worker.console.latencies import Latencies  # noqa: PLC0415
    from glam_worker.console.serving import serve, url_of  # noqa: PLC0415
    from glam_worker.console.session import Session  # noqa: PLC0415
    from glam_worker.console.watch import Watch  # noqa: PLC0415
    from glam_worker.operate.status import Statuses  # noqa: PLC0415

    async with connected(JetStreamClient, settings) as client:
        statuses = Statuses(client, settings.retry_stream, service)
        watch = Watch(statuses, Latencies(metrics))
        session = Session(client, access, watch, settings.retry_stream, service)
        typer.echo(f"Console at {url_of(listener)}  (Ctrl-C ends it)")
        if not access.acting:
            note("glam-worker: looking only; set GLAM_CONSOLE_TOKEN to replay, drop and pause")
        await serve(session, listener)
