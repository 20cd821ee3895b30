"""``glam-worker permissions``."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glam_worker.cli.failing import explained
from glam_worker.cli.options import Json, Modules, Service
from glam_worker.cli.printing import document, note

if TYPE_CHECKING:
    from glam_worker.settings import Settings
    from glam_worker.topology.permissions import Grant, Role


def permissions(
    modules: Modules,
    service: Service = None,
    publishes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SUBJECT",
            help="A subject the handlers publish to; wildcards allowed. Can be given again.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what the users of MODULE's service must be allowed: a block for nats-server.

    Four users: the worker, who deploys, who operates, and who publishes the events. Each may do
    what it needs and nothing else. Needs no server.

    Example: glam-worker permissions myservice.handlers > permissions.conf
    """
    from glam_worker.cli.checking import checked  # noqa: PLC0415 - --help stays quick
    from glam_worker.settings import Settings  # noqa: PLC0415
    from glam_worker.topology.permissions import roles  # noqa: PLC0415

    with explained():
        settings = Settings.load(service=service)
        emitted = _subjects(publishes or [])
        with contextlib.redirect_stdout(sys.stderr):  # what the user's modules print
            found = checked(modules, settings)
        needed = roles(found.registry.handlers, settings, emitted)
        _print(found.service, needed, settings, as_json=as_json)
        if not emitted:
            note(
                "glam-worker: a handler that calls event.publish() needs more than this: name each "
                "of its subjects with --publishes"
            )


def _subjects(given: list[str]) -> list[str]:
    from glam_worker.declare.filters import check_filter  # noqa: PLC0415
    from glam_worker.errors import UsageError  # noqa: PLC0415

    for subject in given:
        if problem := check_filter(subject):
            raise UsageError(f"--publishes: {problem}")
    return given


def _print(service: str, roles: tuple[Role, ...], settings: Settings, *, as_json: bool) -> None:
    from glam_worker.topology.server_config import authorization_block  # noqa: PLC0415

    if as_json:
        document(_described(service, roles, settings))
    else:
        typer.echo(authorization_block(service, roles))
    if settings.nats_inbox_prefix == "_INBOX":
        note(
            "glam-worker: warning: every user of this block may subscribe to _INBOX.>, and so read "
            "what others are sent. Give each user a GLAM_NATS_INBOX_PREFIX of its own, such as "
            f"_INBOX_{service}_worker, in its environment and in this block"
        )


def _described(service: str, roles: tuple[Role, ...], settings: Settings) -> dict[str, Any]:
    from glam_worker.topology.server_config import password_variable, user_of  # noqa: PLC0415

    return {
        "service": service,
        "inbox_prefix": settings.nats_inbox_prefix,
        "roles": [
            {
                "role": role.name,
                "does": role.does,
                "user": user_of(service, role),
                "password_variable": password_variable(service, role),
                "publish": [_grant(grant) for grant in role.publish],
                "subscribe": [_grant(grant) for grant in role.subscribe],
            }
            for role in roles
        ],
    }


def _grant(grant: Grant) -> dict[str, str]:
    return {"subject": grant.subject, "why": grant.why}
