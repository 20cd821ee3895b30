"""``glam-worker plan``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from glam_worker.cli.failing import PENDING, explained
from glam_worker.cli.options import Json, Modules, Servers, Service
from glam_worker.cli.printing import document

if TYPE_CHECKING:
    from glam_worker.cli.checking import Checked
    from glam_worker.settings import Settings
    from glam_worker.topology.plan import Plan


def plan(
    modules: Modules,
    service: Service = None,
    servers: Servers = None,
    as_json: Json = False,
) -> None:
    """Show what `apply` would change for the handlers in MODULE. Changes nothing.

    Also what needs a decision first, and what handlers that are gone have left on the server. The
    exit code is 3 when something is to be done, 0 otherwise.

    Example: glam-worker plan myservice.handlers --servers nats://nats:4222
    """
    import asyncio  # noqa: PLC0415 - --help stays quick

    from glam_worker.settings import Settings  # noqa: PLC0415

    with explained():
        settings = Settings.load(service=service, nats_servers=servers)
        from glam_worker.cli.planning import loaded  # noqa: PLC0415 - loads the client

        found = loaded(modules, settings)
        made = asyncio.run(_plan(found, settings))
        _print(made, as_json=as_json)
    raise typer.Exit(PENDING if made.pending else 0)


async def _plan(found: Checked, settings: Settings) -> Plan:
    from glam_shared.messaging import JetStreamClient  # noqa: PLC0415
    from glam_worker.cli.connecting import connected  # noqa: PLC0415
    from glam_worker.cli.planning import planned  # noqa: PLC0415

    async with connected(JetStreamClient, settings) as client:
        return await planned(client, found, settings)


def _print(made: Plan, *, as_json: bool) -> None:
    from glam_worker.cli.plan_view import show_plan  # noqa: PLC0415

    if as_json:
        document(made.document())
    else:
        show_plan(made)
