"""Arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Modules = Annotated[
    list[str],
    typer.Argument(metavar="MODULE", help="Modules with handlers, such as myservice.handlers."),
]
Service = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Name of the service. [GLAM_SERVICE; default: MODULE's top package]"
    ),
]
Servers = Annotated[
    str | None,
    typer.Option(metavar="URL,URL", help="NATS servers. [GLAM_NATS_SERVERS]"),
]
HttpPort = Annotated[
    int | None,
    typer.Option(
        metavar="PORT", help="Port of /metrics, /healthz and /readyz; 0: none. [GLAM_HTTP_PORT]"
    ),
]
LogFormat = Annotated[
    str | None, typer.Option(metavar="json|text", help="Form of log lines. [GLAM_LOG_FORMAT]")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
