"""``glam-worker doctor``."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glam_worker.cli.failing import FAILED, explained
from glam_worker.cli.options import Json, Servers
from glam_worker.cli.printing import document

if TYPE_CHECKING:
    from glam_shared.messaging import JetStreamClient
    from glam_worker.doctor.findings import Finding
    from glam_worker.doctor.snapshot import Snapshot
    from glam_worker.settings import Settings

_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}
_SHOWN = 4
"""Findings of one kind that are printed beside the first."""


def doctor(
    monitor: Annotated[
        str | None,
        typer.Option(
            metavar="URL,URL",
            help="Monitoring addresses of the servers, such as http://nats:8222; what is on their "
            "disks is told nowhere else.",
        ),
    ] = None,
    service: Annotated[
        str | None, typer.Option(metavar="NAME", help="This service only. [default: all]")
    ] = None,
    servers: Servers = None,
    as_json: Json = False,
) -> None:
    """Look at server, streams and durables for what can lose events, and say what to do about it.

    It changes nothing. The exit code is 1 where something can lose events or stops work.

    Example: glam-worker doctor --monitor http://nats:8222
    """
    from glam_worker.settings import Settings  # noqa: PLC0415 - --help stays quick

    with explained():
        settings = Settings.load(nats_servers=servers)
        seen = asyncio.run(_look(settings, service, _monitors(monitor)))
        from glam_worker.doctor.checks import examine  # noqa: PLC0415

        findings = examine(seen)
        _print(findings, seen, as_json=as_json)
        if any(one.severity == "error" for one in findings):
            raise typer.Exit(FAILED)


def _monitors(given: str | None) -> list[str]:
    from glam_worker.doctor.monitoring import check_monitor  # noqa: PLC0415
    from glam_worker.errors import UsageError  # noqa: PLC0415

    urls = [url.strip() for url in (given or "").split(",") if url.strip()]
    for url in urls:
        if problem := check_monitor(url):
            raise UsageError(f"--monitor: {problem}")
    return urls


async def _look(settings: Settings, service: str | None, monitors: list[str]) -> Snapshot:
    from glam_worker.cli.connecting import connected  # noqa: PLC0415
    from glam_worker.doctor.gathering import gather  # noqa: PLC0415

    async with connected(_client, settings) as client:
        return await gather(client, settings, service, monitors)


def _client(log: logging.Logger) -> JetStreamClient:
    """One that does not say what the findings say."""
    from glam_shared.messaging import JetStreamClient  # noqa: PLC0415 - loads the client

    log.addFilter(_is_no_finding)
    return JetStreamClient(log)


def _is_no_finding(record: logging.LogRecord) -> bool:
    said = record.getMessage()
    return "does not allow this user" not in said and "server's clock" not in said


# --- printing ---


def _print(findings: list[Finding], seen: Snapshot, *, as_json: bool) -> None:
    if as_json:
        document(_described(findings, seen))
        return
    for (severity, check, reason, remedy), alike in groupby(findings, _advice):
        first, *others = [f"{one.thing} {one.found}" for one in alike]
        typer.secho(f"{severity}: ", fg=_COLOURS[severity], bold=True, nl=False)
        typer.echo(f"{first}  [{check}]")
        for other in others[:_SHOWN]:
            typer.echo(f"  and: {other}")
        if len(others) > _SHOWN:
            typer.echo(f"  and: {len(others) - _SHOWN} more; --json lists all")
        typer.echo(f"  why: {reason}")
        typer.echo(f"  do:  {remedy}\n")
    typer.echo(f"{_counted(findings)}; looked at {_looked_at(seen)}")


def _advice(one: Finding) -> tuple[str, str, str, str]:
    """What findings that are printed together have in common."""
    return one.severity, one.check, one.reason, one.remedy


def _described(findings: list[Finding], seen: Snapshot) -> dict[str, Any]:
    return {
        "server_version": seen.version,
        "service": seen.service,
        "streams": [stream.name for stream in seen.kept()],
        "durables": [durable.name for durable in seen.ours],
        "counts": _counts(findings),
        "findings": [asdict(one) for one in findings],
    }


def _counts(findings: list[Finding]) -> dict[str, int]:
    return {kind: sum(one.severity == kind for one in findings) for kind in _COLOURS}


def _counted(findings: list[Finding]) -> str:
    counts = _counts(findings)
    words = {"error": "error", "warning": "warning", "info": "note"}
    return ", ".join(f"{n} {words[kind]}{'' if n == 1 else 's'}" for kind, n in counts.items())


def _looked_at(seen: Snapshot) -> str:
    streams, durables = len(list(seen.kept())), len(seen.ours)
    services = len({durable.owner[0] for durable in seen.ours if durable.owner})
    return (
        f"nats-server {seen.version}, {streams} streams and {durables} durables of "
        f"{services} service{'' if services == 1 else 's'}"
    )
