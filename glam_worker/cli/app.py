"""All commands, in the order of ``--help``."""

from __future__ import annotations

import typer

from glam_worker.cli import run, version

app = typer.Typer(
    name="glam-worker",
    help="Work events from NATS JetStream with declared handlers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

app.command("run")(run.run)
app.command("version")(version.version)
