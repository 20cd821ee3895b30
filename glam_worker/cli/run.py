"""``glam-worker run``: the composition root of a worker process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glam_worker.cli.embedding import own_server
from glam_worker.cli.failing import code_of, explained
from glam_worker.cli.options import HttpPort, LogFormat, Modules, Servers, Service

if TYPE_CHECKING:
    from glam_worker.process import Parent
    from glam_worker.settings import Settings


def run(
    modules: Modules,
    service: Service = None,
    servers: Servers = None,
    processes: Annotated[
        int | None,
        typer.Option(metavar="N", help="Worker processes. [GLAM_PROCESSES; default: 1]"),
    ] = None,
    embedded: Annotated[
        bool,
        typer.Option(
            "--embedded", help="Start a nats-server for this run, stored in .glam/. [GLAM_EMBEDDED]"
        ),
    ] = False,
    http_port: HttpPort = None,
    log_format: LogFormat = None,
    channel: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Work the events of the handlers in MODULE until told to stop.

    The first SIGTERM or Ctrl-C lets running handlers finish, the second does not.

    Example: glam-worker run myservice.handlers --servers nats://nats:4222
    """
    from glam_worker.settings import Settings  # noqa: PLC0415 - --help stays quick

    if embedded and servers:
        raise typer.BadParameter("--embedded starts a server of its own; leave out one of the two")
    with explained():
        if channel is not None:
            raise typer.Exit(_work_for_parent(modules, channel))
        settings = Settings.load(
            service=service,
            nats_servers=servers,
            processes=processes,
            embedded=embedded or None,
            http_port=http_port,
            log_format=log_format,
        )
        raise typer.Exit(work(modules, settings))


def work(modules: list[str], settings: Settings, parent: Parent | None = None) -> int:
    """Check the modules, then work their handlers until told to stop; the exit code."""
    if settings.processes > 1:
        return _supervise(modules, settings)
    from glam_worker.cli.checking import checked  # noqa: PLC0415 - --help stays quick

    found = checked(modules, settings)
    from glam_worker.process import work_until_stopped  # noqa: PLC0415 - loads the client

    with own_server(settings) as reachable:
        return work_until_stopped(found.registry, reachable, found.service, found.warnings, parent)


def _supervise(modules: list[str], settings: Settings) -> int:
    """The children check the modules: the parent does not import them."""
    from glam_worker.loader import service_of  # noqa: PLC0415
    from glam_worker.supervisor.life import supervise  # noqa: PLC0415 - seldom needed

    with own_server(settings) as reachable:
        return supervise(modules, reachable, reachable.service or service_of(modules))


def _work_for_parent(modules: list[str], channel: int) -> int:
    """As a child of ``--processes``, bound to its parent."""
    from glam_worker.supervisor.link import ParentLink  # noqa: PLC0415 - in children only

    parent = ParentLink(channel)
    with parent.told_of_failed_starts(code_of):
        return work(modules, parent.settings, parent)
