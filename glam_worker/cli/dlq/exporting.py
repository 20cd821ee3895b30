"""``glam-worker dlq export``."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from glam_worker.cli.dlq import choosing
from glam_worker.cli.failing import explained
from glam_worker.cli.options import Servers
from glam_worker.cli.printing import note

if TYPE_CHECKING:
    from glam_worker.operate.letter_filter import LetterFilter
    from glam_worker.settings import Settings


def export_letters(  # noqa: PLR0913, PLR0917 - one for each option
    letters: choosing.Letters = None,
    service: choosing.Service = None,
    handler: choosing.Handler = None,
    reason: choosing.Reason = None,
    subject: choosing.Subject = None,
    error: choosing.Error = None,
    older_than: choosing.OlderThan = None,
    group: choosing.Group = None,
    every: choosing.Every = False,
    output: Annotated[
        str, typer.Option(metavar="FILE|-", help="A new file; -: standard output.")
    ] = "-",
    servers: Servers = None,
) -> None:
    """Write dead letters as JSON, one a line, bodies byte for byte. They stay where they are.

    Example: glam-worker dlq export --handler provision --output letters.jsonl
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
        asyncio.run(_export(settings, letters or [], chosen, output))


async def _export(settings: Settings, named: list[str], chosen: LetterFilter, output: str) -> None:
    from glam_shared.messaging import JetStreamClient  # noqa: PLC0415 - loads the client
    from glam_worker.cli.connecting import connected  # noqa: PLC0415
    from glam_worker.cli.dlq.meaning import meant_by  # noqa: PLC0415
    from glam_worker.cli.progress import progress_bar  # noqa: PLC0415
    from glam_worker.operate.transfer import export_line  # noqa: PLC0415

    count = 0
    async with connected(JetStreamClient, settings) as client:
        meant = await meant_by(client, named, chosen)
        bar = progress_bar("exporting", meant.count, lambda: count)
        with _written(output) as file, bar as changed:
            async with contextlib.aclosing(meant.letters()) as found:
                async for letter in found:
                    file.write(export_line(letter) + "\n")
                    count += 1
                    changed()
    note(f"glam-worker: {count} exported")


@contextlib.contextmanager
def _written(output: str) -> Iterator[TextIO]:
    """Standard output, or a new file that is whole or not there. Raises UsageError."""
    from glam_worker.errors import UsageError  # noqa: PLC0415

    if output == "-":
        yield sys.stdout
        return
    path = Path(output).expanduser()
    if path.exists():
        raise UsageError(f"--output {output!r} exists; name another file, or move it away")
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise UsageError(f"--output {output!r} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
