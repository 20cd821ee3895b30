"""``python -m examples.storefront.demo``: the shop from an empty server to the last replay."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path

from rich.console import Console

from examples.demo_process import DemoFailed
from examples.storefront.demo.report import (
    Outcome,
    show_head,
    show_sums,
    show_table,
    show_ways_on,
)
from examples.storefront.demo.story import Story
from examples.storefront.demo.worker_process import WorkerProcess
from examples.storefront.store import Store
from examples.storefront.traffic import traffic
from glam_shared import GlamBaseError
from glam_shared.messaging import JetStreamClient
from glam_worker.dev.server import EmbeddedServer

_LEAST_EVENTS = 100


def main() -> int:
    """The exit code."""
    given = _arguments()
    console = Console(highlight=False)
    # What fails is raised and shown; logging without set-up would print between the bars.
    logging.getLogger("glam_shared").addHandler(logging.NullHandler())
    try:
        asyncio.run(_until_told(_show(console, given.events, given.folder)))
    except (DemoFailed, GlamBaseError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\ndemo: stopped", file=sys.stderr)
        return 130
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="examples.storefront.demo", description=__doc__)
    parser.add_argument("--events", type=int, default=5000, help="how many (default: 5000)")
    folder = Path(".glam/demo")
    parser.add_argument("--folder", type=Path, default=folder, help=f"(default: {folder})")
    given = parser.parse_args()
    if given.events < _LEAST_EVENTS:
        parser.error(f"--events {given.events}: at least {_LEAST_EVENTS}, for some of each kind")
    return given


async def _until_told(work: Coroutine[None, None, None]) -> None:
    """SIGTERM ends the demo as Ctrl-C does: worker and server are stopped first."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


async def _show(console: Console, events: int, folder: Path) -> None:
    with EmbeddedServer(folder / "nats") as server:
        console.print(f"server  nats-server at {server.url}", soft_wrap=True)
        async with JetStreamClient() as client:
            await client.connect(server.url)
            await _forget(client)
            _remove(folder)
            worker = WorkerProcess(server.url, folder / "shop.db", folder / "worker.log")
            console.print(f"worker  {worker.command}", soft_wrap=True)
            outcome = await _worked(console, client, worker, events, folder)
    show_head(console, "What happened")
    show_table(console, outcome)
    show_sums(console, outcome)
    show_head(console, "Where to look next")
    show_ways_on(console, folder)
    if outcome.lost:
        raise DemoFailed(f"{outcome.lost} events are neither handled nor dead letters")


async def _forget(client: JetStreamClient) -> None:
    """Of the last demonstration; the server's lock keeps another one out of this folder."""
    answer = await client.api("STREAM.NAMES")
    for stream in answer["streams"] or []:
        await client.delete_stream(stream)


def _remove(folder: Path) -> None:
    for file in folder.glob("shop.db*"):
        file.unlink()


async def _worked(
    console: Console, client: JetStreamClient, worker: WorkerProcess, events: int, folder: Path
) -> Outcome:
    try:
        async with worker:
            with contextlib.closing(Store(folder / "shop.db")) as store:
                story = Story(console, client, worker, store, traffic(events))
                outcome = await story.told()
            await worker.stop()
    except (DemoFailed, GlamBaseError) as error:
        said = f"{error}\n\nThe worker's last lines, of {worker.log}:\n{worker.last_lines()}"
        raise DemoFailed(said) from error
    return outcome


if __name__ == "__main__":
    sys.exit(main())
