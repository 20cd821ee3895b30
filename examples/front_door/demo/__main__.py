"""``python -m examples.front_door.demo``: from the first request to the last event."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path

import httpx
from rich.console import Console

from examples.demo_process import DemoFailed
from examples.front_door.callers import Callers, Secrets
from examples.front_door.demo.facts import Facts
from examples.front_door.demo.front_door_process import FrontDoorProcess
from examples.front_door.demo.report import show_head, show_places
from examples.front_door.demo.story import Story
from examples.front_door.demo.trace import EVENTS
from examples.storefront.demo.worker_process import WorkerProcess
from glam_shared import GlamBaseError
from glam_shared.messaging import JetStreamClient
from glam_worker.dev.server import EmbeddedServer

_FORGETS_AFTER = 2.0
"""Seconds for which the broker knows duplicates here; by default 120."""


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="examples.front_door.demo", description=__doc__)
    folder = Path(".glam/demo-http")
    parser.add_argument("--folder", type=Path, default=folder, help=f"(default: {folder})")
    given = parser.parse_args()
    # What fails is raised and shown; logging without set-up would print between the lines.
    logging.getLogger("glam_shared").addHandler(logging.NullHandler())
    try:
        asyncio.run(_until_told(_show(Console(highlight=False), given.folder)))
    except (DemoFailed, GlamBaseError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\ndemo: stopped", file=sys.stderr)
        return 130
    return 0


async def _until_told(work: Coroutine[None, None, None]) -> None:
    """SIGTERM ends the demo as Ctrl-C does: services and server are stopped first."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


async def _show(console: Console, folder: Path) -> None:
    with EmbeddedServer(folder / "nats") as server:
        console.print(f"server      nats-server at {server.url}", soft_wrap=True)
        async with JetStreamClient() as client:
            await client.connect(server.url)
            await _begin_anew(client, folder)
            await _run(console, server, client, folder)
    show_head(console, "Where to look next")
    show_places(console, folder)


async def _begin_anew(client: JetStreamClient, folder: Path) -> None:
    """Forget the last demonstration; the server's lock keeps another one out of this folder."""
    answer = await client.api("STREAM.NAMES")
    for stream in answer["streams"] or []:
        await client.delete_stream(stream)
    _remove_databases(folder)
    await client.ensure_stream(EVENTS, ["evt.>", "cmd.>"], duplicate_window=_FORGETS_AFTER)


def _remove_databases(folder: Path) -> None:
    for file in folder.glob("*.db*"):
        file.unlink()


async def _run(
    console: Console, server: EmbeddedServer, client: JetStreamClient, folder: Path
) -> None:
    shared = Secrets()
    worker = WorkerProcess(server.url, folder / "shop.db", folder / "worker.log", "DEBUG")
    door = FrontDoorProcess(server.url, folder / "front-door.db", folder / "front-door.log", shared)
    console.print(f"worker      {worker.command}", soft_wrap=True)
    console.print(f"front door  {door.command}", soft_wrap=True)
    facts = Facts(client, door.log, worker.log)
    try:
        async with worker, door:
            story = Story(console, server, door, Callers(door.url, shared), facts)
            await story.told()
            await worker.stop()
    except (DemoFailed, GlamBaseError, httpx.HTTPError) as error:
        said = f"{error!s}\n\nThe worker's last lines, of {worker.log}:\n{worker.last_lines()}"
        raise DemoFailed(f"{said}\n\nThe front door's are in {door.log}") from error


if __name__ == "__main__":
    sys.exit(main())
