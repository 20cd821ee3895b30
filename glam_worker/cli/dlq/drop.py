"""``glam-worker dlq drop``."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import typer

from glam_worker.cli.dlq import choosing
from glam_worker.cli.failing import explained
from glam_worker.cli.options import Json, Servers, Yes
from glam_worker.cli.printing import document, note

if TYPE_CHECKING:
    from glam_worker.operate.letter_filter import LetterFilter
    from glam_worker.settings import Settings


def drop(  # noqa: PLR0913, PLR0917 - one for each option
    letters: choosing.Letters = None,
    service: choosing.Service = None,
    handler: choosing.Handler = None,
    reason: choosing.Reason = None,
    subject: choosing.Subject = None,
    error: choosing.Error = None,
    older_than: choosing.OlderThan = None,
    group: choosing.Group = None,
    every: choosing.Every = False,
    yes: Yes = False,
    servers: Servers = None,
    as_json: Json = False,
) -> None:
    """Delete dead letters for good. `dlq export` keeps a copy of them.

    Example: glam-worker dlq drop --handler provision --older-than 30d
    """
    from glam_worker.cli.dlq.meaning import check_choice  # noqa: PLC0415 - --help stays quick
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
        check_choice(letters or [], chosen, every=every)
        settings = Settings.load(nats_servers=servers)
        asyncio.run(_drop(settings, letters or [], chosen, yes=yes, as_json=as_json))


async def _drop(
    settings: Settings, named: list[str], chosen: LetterFilter, *, yes: bool, as_json: bool
) -> None:
    from glam_shared.messaging import JetStreamClient  # noqa: PLC0415 - loads the client
    from glam_worker.cli.asking import confirm  # noqa: PLC0415
    from glam_worker.cli.connecting import connected  # noqa: PLC0415
    from glam_worker.cli.dlq.meaning import meant_by  # noqa: PLC0415
    from glam_worker.cli.progress import progress_bar  # noqa: PLC0415
    from glam_worker.operate.working_off import Progress, drop_letters  # noqa: PLC0415

    progress = Progress()
    async with connected(JetStreamClient, settings) as client:
        meant = await meant_by(client, named, chosen)
        if meant.count:
            confirm(f"Drop {meant.in_words()} for good?", yes=yes)
            with progress_bar("dropping", meant.count, lambda: progress.seen) as changed:
                progress.changed = changed
                async with contextlib.aclosing(meant.heads()) as found:
                    await drop_letters(client, found, meant.stores, progress)
        else:
            note("glam-worker: no dead letter is meant by this: nothing to drop")
    if as_json:
        document({"letters": meant.count, "dropped": progress.done, "gone": progress.gone})
    elif meant.count:
        typer.echo(f"{progress.done} dropped")
