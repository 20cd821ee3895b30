"""Steps a coroutine in a context of its own, inside the task that calls.

A handler that never waits costs no task and no turn of the loop; one that waits goes on in the
task that began it, so that ``asyncio.current_task()`` is the same in all of its steps. The
context is new for each run: a variable that a handler sets is not seen by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from types import coroutine
from typing import Any


@coroutine
def stepped(
    work: Coroutine[Any, Any, Any], context: Context, suspended: Callable[[], None]
) -> Generator[Any, Any, Any]:
    """Await ``work`` within ``context``; ``suspended`` is called when it waits for the first time."""
    try:
        waits_for = context.run(work.send, None)
    except StopIteration as stop:
        return stop.value
    suspended()
    while True:
        try:
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001 - thrown into the work, as await does
                waits_for = context.run(work.throw, error)
            else:
                waits_for = context.run(work.send, sent)
        except StopIteration as stop:
            return stop.value
