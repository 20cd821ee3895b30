"""``glam-worker dlq replay``."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glam_worker.cli.dlq import choosing
from glam_worker.cli.failing import FAILED, explained
from glam_worker.cli.options import Json, Servers, Yes
from glam_worker.cli.printing import document, note

if TYPE_CHECKING:
    from glam_shared.messaging import JetStreamClient
    from glam_worker.cli.dlq.meaning import Meant
    from glam_worker.operate.letter_filter import LetterFilter
    from glam_worker.operate.working_off import Progress
    from glam_worker.settings import Settings


@dataclass(frozen=True, slots=True)
class _How:
    rate: float
    dry_run: bool
    create_lane: bool
    edit: bool
    yes: bool
    as_json: bool


def replay(  # noqa: PLR0913, PLR0917 - one for each option
    letters: choosing.Letters = None,
    service: choosing.Service = None,
    handler: choosing.Handler = None,
    reason: choosing.Reason = None,
    subject: choosing.Subject = None,
    error: choosing.Error = None,
    older_than: choosing.OlderThan = None,
    group: choosing.Group = None,
    every: choosing.Every = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be replayed, and do nothing.")
    ] = False,
    rate: Annotated[
        str, typer.Option(metavar="RATE", help="How fast at most, such as 50/s or 300/min.")
    ] = "500/s",
    create_lane: Annotated[
        bool, typer.Option("--create-lane", help="Make the lane of a handler that has none.")
    ] = False,
    edit: Annotated[
        bool, typer.Option("--edit", help="Edit the payload of the one letter in $EDITOR first.")
    ] = False,
    yes: Yes = False,
    servers: Servers = None,
    as_json: Json = False,
) -> None:
    """Have events handled once more by the handler that failed, and by no other.

    Each letter is removed when the handler's lane has its event. Interrupted, it can be run again.

    Example: glam-worker dlq replay --handler provision --error Timeout --rate 50/s
    """
    from glam_worker.cli.dlq.meaning import check_choice  # noqa: PLC0415 - --help stays quick
    from glam_worker.cli.durations import read_rate  # noqa: PLC0415
    from glam_worker.errors import UsageError  # noqa: PLC0415
    from glam_worker.settings import Settings  # noqa: PLC0415

    with explained():
        chosen = choosing.chosen_by(
            service=service,
            handler=handler,
            reason=reason,
            subject=subject,
            error=error,
            older_than=older_than,
            group=group,
        )
        named = letters or []
        check_choice(named, chosen, every=every)
        if edit and len(named) != 1:
            raise UsageError("--edit is for one letter: name it, such as GLAM_DLQ:17")
        how = _How(read_rate("--rate", rate), dry_run, create_lane, edit, yes, as_json)
        settings = Settings.load(nats_servers=servers)
        raise typer.Exit(asyncio.run(_replay(settings, named, chosen, how)))


async def _replay(settings: Settings, named: list[str], chosen: LetterFilter, how: _How) -> int:
    from glam_shared.messaging import JetStreamClient  # noqa: PLC0415 - loads the client
    from glam_worker.cli.connecting import connected  # noqa: PLC0415
    from glam_worker.cli.dlq.meaning import meant_by  # noqa: PLC0415
    from glam_worker.operate.working_off import Progress  # noqa: PLC0415

    async with connected(JetStreamClient, settings) as client:
        meant = await meant_by(client, named, chosen)
        lanes = await _without_lane(client, settings, meant)
        if how.dry_run or not meant.count:
            return _say_plan(meant, lanes, how)
        edited = _edited(meant) if how.edit else None
        _ask(meant, lanes, how)
        if how.create_lane:
            await _create(client, settings, lanes)
        progress = Progress()
        code = FAILED
        try:
            await _work(client, settings, meant, progress, how.rate, edited)
            code = FAILED if progress.refused else 0
        finally:
            _say_result(meant, progress, how)
        return code


async def _without_lane(
    client: JetStreamClient, settings: Settings, meant: Meant
) -> list[tuple[str, str]]:
    from glam_worker.operate.lanes import without_lane  # noqa: PLC0415

    owners = {(group.service, group.handler) for group in meant.whole.groups}
    return await without_lane(client, settings.retry_stream, owners)


async def _create(
    client: JetStreamClient, settings: Settings, lanes: list[tuple[str, str]]
) -> None:
    from glam_worker.operate.lanes import create_lane  # noqa: PLC0415

    for service, handler in lanes:
        await create_lane(client, settings.retry_stream, service, handler)
        note(f"glam-worker: created the lane of handler {handler} of service {service}")


def _ask(meant: Meant, lanes: list[tuple[str, str]], how: _How) -> None:
    from glam_worker.cli.asking import confirm  # noqa: PLC0415

    for line in _lane_notes(lanes, how):
        note(f"glam-worker: {line}")
    confirm(f"Replay {meant.in_words()}?", yes=how.yes)


def _lane_notes(lanes: list[tuple[str, str]], how: _How) -> list[str]:
    if how.create_lane:
        return [
            f"handler {name} of service {service} has no lane; it is made first"
            for service, name in lanes
        ]
    return [
        f"handler {name} of service {service} has no lane: its letters stay where they are, unless "
        "its worker was started, or --create-lane is given"
        for service, name in lanes
    ]


async def _work(
    client: JetStreamClient,
    settings: Settings,
    meant: Meant,
    progress: Progress,
    rate: float,
    edited: bytes | None,
) -> None:
    from glam_worker.cli.progress import progress_bar  # noqa: PLC0415
    from glam_worker.operate.working_off import replay_edited, replay_letters  # noqa: PLC0415

    with progress_bar("replaying", meant.count, lambda: progress.seen) as changed:
        progress.changed = changed
        async with contextlib.aclosing(meant.letters()) as found:
            if edited is None:
                await replay_letters(client, settings.retry_stream, found, progress, rate)
            else:
                letter = await anext(found)
                await replay_edited(client, settings.retry_stream, letter, edited, progress)


def _edited(meant: Meant) -> bytes | None:
    """The body that the user's editor leaves. None: nothing was edited."""
    from glam_worker.cli.dlq.editor import edited_by_user  # noqa: PLC0415

    assert meant.named is not None  # noqa: S101 - checked with the options
    return edited_by_user(meant.named[0])


def _say_plan(meant: Meant, lanes: list[tuple[str, str]], how: _How) -> int:
    if how.as_json:
        document(_described(meant, None, lanes))
        return 0
    if not meant.count:
        note("glam-worker: no dead letter is meant by this: nothing to replay")
        return 0
    typer.echo(f"would replay {meant.in_words()}")
    for line in _lane_notes(lanes, how):
        typer.echo(line)
    return 0


def _say_result(meant: Meant, progress: Progress, how: _How) -> None:
    if how.as_json:
        document(_described(meant, progress, []))
        return
    told = [f"{progress.done} replayed"]
    told += [f"{progress.gone} gone already"] if progress.gone else []
    told += [f"{progress.refused} refused"] if progress.refused else []
    left = meant.count - progress.seen
    told += [f"{left} not reached: run it again to go on"] if left > 0 else []
    typer.echo(", ".join(told))
    for refusal in progress.refusals:
        note(f"glam-worker: {refusal}")
    if progress.refused > len(progress.refusals):
        note(f"glam-worker: and {progress.refused - len(progress.refusals)} more were refused")


def _described(
    meant: Meant, progress: Progress | None, lanes: list[tuple[str, str]]
) -> dict[str, Any]:
    done = {
        "replayed": progress.done if progress else 0,
        "gone": progress.gone if progress else 0,
        "refused": progress.refused if progress else 0,
        "refusals": [
            {"letter": one.letter.id, "problem": str(one)}
            for one in (progress.refusals if progress else [])
        ],
    }
    without = [{"service": service, "handler": name} for service, name in lanes]
    return {"letters": meant.count, "dry_run": progress is None, **done, "without_lane": without}
