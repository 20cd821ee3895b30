"""``glam-worker console``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from glam_worker.cli.failing import explained
from glam_worker.cli.options import Servers

if TYPE_CHECKING:
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
    from glam_worker.settings import Settings  # noqa: PLC0415

    with explained():
        try:
            from glam_worker.console.serving import listening, serve  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"the console needs {error.name}; install it: pip install 'glam-worker[http]'"
            ) from error
        from glam_worker.console.access import Access  # noqa: PLC0415

        settings = Settings.load(nats_servers=servers)
        token = settings.console_token
        access = Access(None if token is None else token.get_secret_value(), host)
        with listening(host, port) as socket:
            asyncio.run(_console(settings, access, service, metrics or [], socket, serve))
