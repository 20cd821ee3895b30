"""``glam-worker dev``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

from glam_worker.cli.embedding import embedded_server
from glam_worker.cli.failing import FAILED, explained
from glam_worker.cli.options import HttpPort, LogFormat, Modules, Servers, Service
from glam_worker.cli.printing import note

if TYPE_CHECKING:
    from glam_worker.dev.process import WorkerProcess
    from glam_worker.dev.server import EmbeddedServer
    from glam_worker.settings import Settings


def dev(
    modules: Modules,
    service: Service = None,
    servers: Servers = None,
    http_port: HttpPort = None,
    log_format: LogFormat = None,
) -> None:
    """Work the events of MODULE while you write it: own server, reload, readable logs.

    A nats-server is started, with its store in .glam/, unless --servers names others. The worker
    is started again whenever a .py file or .env changes.

    Example: glam-worker dev myservice.handlers
    """
    from glam_worker.settings import Settings  # noqa: PLC0415 - --help stays quick

    def load() -> Settings:
        return Settings.load(
            service=service,
            nats_servers=servers,
            http_port=http_port,
            log_format=log_format or "text",
        )

    with explained():
        from glam_worker.dev.reload import Reloader, watched  # noqa: PLC0415 - needs an extra

        patience = load().shutdown_grace + 10.0
        with _server(servers) as server:
            start = _starting(modules, load, server)
            note("glam-worker: Ctrl-C stops; a change of a .py file or of .env starts again")
            why = Reloader(start, watched(modules), patience, _say).run(_trouble_of(server))
    if why is not None:
        _say(why)
        raise typer.Exit(FAILED)


def _say(text: str) -> None:
    note(f"glam-worker: {text}")


@contextlib.contextmanager
def _server(servers: str | None) -> Iterator[EmbeddedServer | None]:
    if servers is None:
        with embedded_server() as server:
            yield server
    else:
        yield None


def _trouble_of(server: EmbeddedServer | None) -> Callable[[], str | None]:
    return (lambda: None) if server is None else server.trouble


def _starting(
    modules: list[str], load: Callable[[], Settings], server: EmbeddedServer | None
) -> Callable[[], WorkerProcess | None]:
    """Starts the worker with the settings as they are by then."""
    from glam_worker.dev.process import WorkerProcess  # noqa: PLC0415
    from glam_worker.supervisor.handover import handed_over  # noqa: PLC0415

    def start() -> WorkerProcess | None:
        try:
            with explained():
                settings = load() if server is None else load().at(server.url)
        except typer.Exit:
            return None
        return WorkerProcess("glam_worker.cli.dev_worker", modules, handed_over(settings))

    return start
