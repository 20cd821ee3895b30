"""``glam-worker pause`` and ``glam-worker resume``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glam_worker.cli.failing import explained
from glam_worker.cli.options import Json, Servers, Yes
from glam_worker.cli.printing import document

if TYPE_CHECKING:
    from glam_worker.operate.pausing import Paused
    from glam_worker.settings import Settings

Handler = Annotated[str, typer.Argument(metavar="HANDLER", help="As `glam-worker status` says.")]
Service = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Of this service only. Default: of all that have it."),
]


def pause(
    handler: Handler,
    duration: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="DURATION", help="Such as 10m or 2h. Default: until it is resumed."
        ),
    ] = None,
    service: Service = None,
    yes: Yes = False,
    servers: Servers = None,
    as_json: Json = False,
) -> None:
    """Hand out no more events to a handler, on the server: for all its workers at once.

    What is being worked is worked to its end. Events, retries and replays wait.

    Example: glam-worker pause provision --for 10m
    """
    from glam_worker.cli.durations import read_duration  # noqa: PLC0415 - --help stays quick
    from glam_worker.errors import UsageError  # noqa: PLC0415
    from glam_worker.operate.pausing import FOR_EVER  # noqa: PLC0415
    from glam_worker.settings import Settings  # noqa: PLC0415

    with explained():
        seconds = FOR_EVER if duration is None else read_duration("--for", duration)
        if not seconds:
            raise UsageError(f"--for is {duration!r}; name how long, or leave it out: for good")
        settings = Settings.load(nats_servers=servers)
        asyncio.run(_act(settings, handler, service, seconds, yes=yes, as_json=as_json))


def resume(
    handler: Handler,
    service: Service = None,
    yes: Yes = False,
    servers: Servers = None,
    as_json: Json = False,
) -> None:
    """Hand out events to a paused handler again.

    Example: glam-worker resume provision
    """
    from glam_worker.settings import Settings  # noqa: PLC0415 - --help stays quick

    with explained():
        settings = Settings.load(nats_servers=servers)
        asyncio.run(_act(settings, handler, service, None, yes=yes, as_json=as_json))


async def _act(
    settings: Settings,
    name: str,
    service: str | None,
    seconds: float | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Pause for some seconds; None: resume."""
    from glam_shared.messaging import JetStreamClient  # noqa: PLC0415 - loads the client
    from glam_worker.cli.asking import confirm  # noqa: PLC0415
    from glam_worker.cli.connecting import connected  # noqa: PLC0415
    from glam_worker.operate import pausing  # noqa: PLC0415
    from glam_worker.operate.handlers import named_handlers  # noqa: PLC0415

    async with connected(JetStreamClient, settings) as client:
        found = await named_handlers(client, name, service)
        listed = " and ".join(map(str, found))
        confirm(f"{'Resume' if seconds is None else 'Pause'} {listed}?", yes=yes)
        done: list[Paused] = []
        for one in found:
            if seconds is None:
                done += await pausing.resume(client, one)
            else:
                done += await pausing.pause(client, one, seconds)
    if as_json:
        document({"durables": [_described(one, seconds) for one in done]})
        return
    for one in found:
        typer.echo(f"handler {one} {_ending(done, seconds)}")


def _ending(done: list[Paused], seconds: float | None) -> str:
    from glam_worker.operate.pausing import has_no_end  # noqa: PLC0415

    if seconds is None:
        return "is not paused"
    if has_no_end(seconds):
        return "is paused until it is resumed"
    until = _moment(done[0])
    if until is None:
        return "is not paused: the time named by --for was over when the server heard of it"
    return f"is paused until {until}"


def _moment(one: Paused) -> str | None:
    if one.until is None:
        return None
    return one.until.isoformat(timespec="seconds").replace("+00:00", "Z")


def _described(one: Paused, seconds: float | None) -> dict[str, Any]:
    from glam_worker.operate.pausing import has_no_end  # noqa: PLC0415

    return {
        "service": one.durable.service,
        "handler": one.durable.handler,
        "way": one.durable.way,
        "durable": one.durable.name,
        "stream": one.durable.stream,
        "paused": one.until is not None,
        "until": None if seconds is None or has_no_end(seconds) else _moment(one),
    }
