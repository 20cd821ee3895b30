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
    is started again whenever one of its modules or .env changes. Where the usual port of /metrics
    is in use and none was asked for, another one is taken.

    Example: glam-worker dev myservice.handlers
    """
    from glam_worker.settings import Settings  # noqa: PLC0415 - --help stays quick

    endpoint = _Endpoint()

    def load() -> Settings:
        return endpoint.placed(
            Settings.load(
                service=service,
                nats_servers=servers,
                http_port=http_port,
                log_format=log_format or "text",
            )
        )

    with explained():
        from glam_worker.dev.relevance import Relevance  # noqa: PLC0415
        from glam_worker.dev.reload import Reloader, packages, watched  # noqa: PLC0415 - an extra

        patience = load().shutdown_grace + 10.0
        with _server(servers) as server:
            start = _starting(modules, load, server)
            note("glam-worker: Ctrl-C stops; a change of your modules or of .env starts again")
            relevance = Relevance(packages(modules))
            reloader = Reloader(start, watched(modules), patience, _say, relevance)
            why = reloader.run(_trouble_of(server))
    if why is not None:
        _say(why)
        raise typer.Exit(FAILED)


class _Endpoint:
    """Where /metrics is: at the port that was asked for, else at the usual one or a free one."""

    def __init__(self) -> None:
        self._chosen: int | None = None

    def placed(self, settings: Settings) -> Settings:
        """The settings with a port that can be had, the same one every time."""
        if "http_port" in settings.model_fields_set:
            return settings
        if self._chosen is None:
            self._chosen = self._choose(settings)
        return settings.model_copy(update={"http_port": self._chosen})

    @staticmethod
    def _choose(settings: Settings) -> int:
        from glam_worker.dev.ports import free_port, is_free  # noqa: PLC0415 - --help stays quick

        usual, host = settings.http_port, settings.http_host
        other = None if is_free(usual, host) else free_port(host)
        if other is None:
            return usual
        _say(f"port {usual} is in use: /metrics, /healthz and /readyz are at port {other}")
        return other


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
