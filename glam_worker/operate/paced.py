"""Does something to very many things: some at a time, not faster than a rate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_AT_ONCE = 32


async def for_each(
    things: AsyncIterator[T], act: Callable[[T], Awaitable[None]], rate: float | None = None
) -> None:
    """Call ``act`` for each thing, begun in order, at most ``rate`` a second (None: no limit).

    What was begun is ended, also when one fails or this is cancelled; no more is begun then. Raises
    what the first that failed has raised.
    """
    loop = asyncio.get_running_loop()
    free = asyncio.Semaphore(_AT_ONCE)
    failures: list[Exception] = []
    running: set[asyncio.Task[None]] = set()

    async def guarded(thing: T) -> None:
        try:
            await act(thing)
        except Exception as error:  # noqa: BLE001 - raised below
            failures.append(error)
        finally:
            free.release()

    begun, count = loop.time(), 0
    try:
        async for thing in things:
            if rate is not None:
                await asyncio.sleep(begun + count / rate - loop.time())
            await free.acquire()
            if failures:
                break
            count += 1
            task = loop.create_task(guarded(thing))
            running.add(task)
            task.add_done_callback(running.discard)
    finally:
        await asyncio.gather(*running)
    if failures:
        raise failures[0]
