"""All commands, in the order of ``--help``: one line each."""

from __future__ import annotations

import sys

import typer

from glam_worker.cli import (
    apply,
    check,
    config,
    console,
    dev,
    doctor,
    pause,
    permissions,
    plan,
    publish,
    run,
    status,
    version,
)
from glam_worker.cli.dlq import drop, exporting, importing, listing, replay, show
from glam_worker.cli.top import command as top

_WIDE = 10_000

WORK, EVENTS, OPERATE, LOOK = "Work events", "Send events", "Operate", "Look"


def _settings() -> dict[str, int]:
    """Without a terminal nothing is wrapped."""
    return {} if _on_terminal() else {"terminal_width": _WIDE, "max_content_width": _WIDE}


def _on_terminal() -> bool:
    return sys.stdout.isatty() and sys.stderr.isatty()


def _commands(name: str, help: str) -> typer.Typer:  # noqa: A002 - typer's word
    return typer.Typer(
        name=name,
        help=help,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if _on_terminal() else None,
        context_settings={"help_option_names": ["-h", "--help"], **_settings()},
    )


app = _commands(
    "glam-worker",
    """Work events from NATS JetStream with declared handlers.

    Start here: glam-worker dev myservice.handlers
    """,
)

dlq = _commands(
    "dlq",
    """Look at dead letters, replay them, drop them.

    Example: glam-worker dlq list
    """,
)
dlq.command("list")(listing.list_letters)
dlq.command("show")(show.show)
dlq.command("replay")(replay.replay)
dlq.command("drop")(drop.drop)
dlq.command("export")(exporting.export_letters)
dlq.command("import")(importing.import_letters)

app.command("run", rich_help_panel=WORK)(run.run)
app.command("dev", rich_help_panel=WORK)(dev.dev)
app.command("check", rich_help_panel=WORK)(check.check)
app.command("plan", rich_help_panel=WORK)(plan.plan)
app.command("apply", rich_help_panel=WORK)(apply.apply)
app.command("publish", rich_help_panel=EVENTS)(publish.publish)
app.command("doctor", rich_help_panel=LOOK)(doctor.doctor)
app.command("permissions", rich_help_panel=LOOK)(permissions.permissions)
app.command("status", rich_help_panel=OPERATE)(status.status)
app.command("top", rich_help_panel=OPERATE)(top.top)
app.command("pause", rich_help_panel=OPERATE)(pause.pause)
app.command("resume", rich_help_panel=OPERATE)(pause.resume)
app.command("console", rich_help_panel=OPERATE)(console.console)
app.add_typer(dlq, rich_help_panel=OPERATE)
app.command("config", rich_help_panel=LOOK)(config.config)
app.command("version", rich_help_panel=LOOK)(version.version)
