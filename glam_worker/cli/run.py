"""``glam-worker run``: the composition root of a worker process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glam_worker.cli.failing import explained, importing
from glam_worker.cli.options import Modules, Servers, Service
from glam_worker.loader import load, passed_over, service_of
from glam_worker.settings import Settings

if TYPE_CHECKING:
    from glam_worker.supervisor.link import ParentLink


def run(
    modules: Modules,
    service: Service = None,
    servers: Servers = None,
    processes: Annotated[
        int | None, typer.Option(help="Worker processes. [GLAM_PROCESSES; default: 1]")
    ] = None,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Start a nats-server for this run.")
    ] = False,
    http_port: Annotated[
        int | None,
        typer.Option(help="Port of /metrics, /healthz and /readyz; 0: none. [GLAM_HTTP_PORT]"),
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(metavar="json|text", help="Form of log lines. [GLAM_LOG_FORMAT]")
    ] = None,
    channel: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Work the events of the handlers in MODULE until told to stop.

    Example: glam-worker run myservice.handlers --servers nats://nats:4222
    """
    with explained():
        parent = None if channel is None else _parent(channel)
        settings = (
            parent.settings
            if parent
            else Settings.load(
                service=service,
                nats_servers=servers,
                processes=processes,
                embedded=embedded or None,
                http_port=http_port,
                log_format=log_format,
            )
        )
        name = settings.service or service_of(modules)
        if settings.processes > 1:
            from glam_worker.supervisor.life import supervise  # noqa: PLC0415 - seldom needed

            raise typer.Exit(supervise(modules, settings, name))
        with importing():
            registry = load(modules)
        from glam_worker.process import work_until_stopped  # noqa: PLC0415 - loads the client

        others, serve = passed_over(registry), parent.serve if parent else None
        raise typer.Exit(work_until_stopped(registry, settings, name, others, serve))


def _parent(channel: int) -> ParentLink:
    """Binds a child of ``--processes`` to its parent."""
    from glam_worker.supervisor.link import ParentLink  # noqa: PLC0415 - in children only

    return ParentLink(channel)
