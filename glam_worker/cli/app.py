"""All commands, in the order of ``--help``: one line each."""

from __future__ import annotations

import sys

import typer

from glam_worker.cli import check, config, dev, permissions, publish, run, version

_WIDE = 10_000

WORK, EVENTS, LOOK = "Work events", "Send events", "Look"


def _settings() -> dict[str, int]:
    """Without a terminal nothing is wrapped."""
    return {} if _on_terminal() else {"terminal_width": _WIDE, "max_content_width": _WIDE}


def _on_terminal() -> bool:
    return sys.stdout.isatty() and sys.stderr.isatty()


app = typer.Typer(
    name="glam-worker",
    help="""Work events from NATS JetStream with declared handlers.

    Start here: glam-worker dev myservice.handlers
    """,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich" if _on_terminal() else None,
    context_settings={"help_option_names": ["-h", "--help"], **_settings()},
)

app.command("run", rich_help_panel=WORK)(run.run)
app.command("dev", rich_help_panel=WORK)(dev.dev)
app.command("check", rich_help_panel=WORK)(check.check)
app.command("publish", rich_help_panel=EVENTS)(publish.publish)
app.command("permissions", rich_help_panel=LOOK)(permissions.permissions)
app.command("config", rich_help_panel=LOOK)(config.config)
app.command("version", rich_help_panel=LOOK)(version.version)
