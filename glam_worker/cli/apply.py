"""``glam-worker apply``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from glam_worker.cli.asking import confirmed
from glam_worker.cli.failing import FAILED, explained
from glam_worker.cli.options import Json, Modules, Servers, Service, Yes
from glam_worker.cli.printing import document, note

if TYPE_CHECKING:
    from glam_worker.cli.applying import Applied


def apply(
    modules: Modules,
    service: Service = None,
    servers: Servers = None,
    recreate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Create the consumer of this handler, which was deleted or cannot be changed. "
            "Can be given again.",
        ),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="floor|new|all",
            help="Where those begin: where they were, with what comes from now on, or with all "
            "that the stream keeps.",
        ),
    ] = None,
    move: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OLD=NEW",
            help="Let handler NEW begin where OLD was and work what OLD has parked. Can be given "
            "again.",
        ),
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Change streams and consumers to what the handlers in MODULE need. Shows the plan, and asks.

    No message is ever removed. It can be interrupted, and done again.

    Example: glam-worker apply myservice.handlers --recreate confirm --from floor
    """
    from glam_worker.settings import Settings  # noqa: PLC0415 - --help stays quick

    with explained():
        settings = Settings.load(service=service, nats_servers=servers)
        from glam_worker.cli.applying import Application  # noqa: PLC0415 - loads the client
        from glam_worker.cli.planning import loaded, read_choices  # noqa: PLC0415

        found = loaded(modules, settings)
        choices = read_choices(found, recreate or [], begin, move or [])
        application = Application(found, settings, choices)
        shown = application.plan()
        if not as_json:
            _show(shown)
        if shown.changes and not confirmed(f"Apply {_count(shown)}?", yes=yes):
            note("glam-worker: nothing was changed")
            raise typer.Exit(FAILED)
        applied = application.apply()
        _print(applied, as_json=as_json)
        raise typer.Exit(FAILED if applied.plan.stopped else 0)


def _show(shown: Any) -> None:
    from glam_worker.cli.plan_view import show_plan  # noqa: PLC0415

    show_plan(shown)


def _count(shown: Any) -> str:
    from glam_shared.wording import counted  # noqa: PLC0415

    return counted(len(shown.changes), "change")


def _print(applied: Applied, *, as_json: bool) -> None:
    if as_json:
        document(applied.document())
    elif applied.done:
        typer.echo(f"Done: {', '.join(applied.done)}.")
