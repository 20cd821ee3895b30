"""``glam-worker dlq import``."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from glam_worker.cli.failing import explained
from glam_worker.cli.options import Json, Servers, Yes
from glam_worker.cli.printing import document, note

if TYPE_CHECKING:
    from glam_worker.operate.transfer import ImportedLetter
    from glam_worker.settings import Settings


def import_letters(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="What `dlq export` wrote; -: standard input.")
    ],
    yes: Yes = False,
    servers: Servers = None,
    as_json: Json = False,
) -> None:
    """Put exported letters into the dead-letter stream.

    What lies there still, or since a former import, is not doubled.

    Example: glam-worker dlq import letters.jsonl
    """
    from glam_worker.settings import Settings  # noqa: PLC0415 - --help stays quick

    with explained():
        settings = Settings.load(nats_servers=servers)
        with _opened(file) as lines:
            asyncio.run(_import(settings, lines, file, yes=yes, as_json=as_json))


async def _import(
    settings: Settings, lines: BinaryIO, name: str, *, yes: bool, as_json: bool
) -> None:
    from glam_shared.messaging import JetStreamClient  # noqa: PLC0415 - loads the client
    from glam_worker.cli.asking import confirm  # noqa: PLC0415
    from glam_worker.cli.connecting import connected  # noqa: PLC0415
    from glam_worker.errors import NotThereError  # noqa: PLC0415
    from glam_worker.operate.letters import NO_STORE, letter_stores  # noqa: PLC0415
    from glam_worker.operate.transfer import import_letters as store  # noqa: PLC0415
    from glam_worker.operate.working_off import Progress  # noqa: PLC0415

    progress = Progress()
    async with connected(JetStreamClient, settings) as client:
        stores = await letter_stores(client)
        if not stores:
            raise NotThereError(NO_STORE)
        confirm(f"Import the letters of {name} into stream {stores[0].stream}?", yes=yes)
        try:
            await store(client, _read(lines), progress)
        except BaseException:
            note(f"glam-worker: {progress.done} imported before it ended; it can be run again")
            raise
    if as_json:
        document({"imported": progress.done, "there_already": progress.gone})
    else:
        there = f", {progress.gone} there already" if progress.gone else ""
        typer.echo(f"{progress.done} imported{there}")


async def _read(lines: BinaryIO) -> AsyncIterator[ImportedLetter]:
    from glam_worker.operate.transfer import read_line  # noqa: PLC0415

    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield read_line(number, line)


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    from glam_worker.errors import UsageError  # noqa: PLC0415

    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(name).expanduser().open("rb") as file:
            yield file
    except OSError as error:
        raise UsageError(f"{name!r} cannot be read: {error.strerror}") from None
