"""Arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Modules = Annotated[
    list[str],
    typer.Argument(metavar="MODULE...", help="Modules with handlers, such as myservice.handlers."),
]
Service = Annotated[
    str | None,
    typer.Option(help="Name of the service. [GLAM_SERVICE; default: the module's top package]"),
]
Servers = Annotated[
    str | None,
    typer.Option(metavar="URL,URL", help="NATS servers. [GLAM_NATS_SERVERS]"),
]
