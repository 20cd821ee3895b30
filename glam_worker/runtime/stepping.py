"""Steps a coroutine in a context of its own, inside the task that calls.

A handler that never waits costs no task and no turn of the loop; one that waits goes on in the
task that began it, so that ``asyncio.current_task()`` is the same in all of its steps. The
context is new for each run: a variable that a handler sets is not seen by the next one.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextvars import Context
from types import coroutine
from typing import Any, NamedTuple, Protocol

_ENDED: Any = object()


class Emission(Protocol):
    """What a run publishes."""

    def check(self) -> None:
        """Raise if the handler returned without awaiting it."""


class Stepped(Protocol):
    """The run whose coroutine it is."""

    @property
    def emission(self) -> Emission | None:
        """What it publishes with; None if it published nothing."""


class Waiting(NamedTuple):
    """A coroutine that has begun, and what it waits for."""

    work: Coroutine[Any, Any, Any]
    waits_for: Any
    run: Stepped


def begin(work: Coroutine[Any, Any, Any], run: Stepped) -> Waiting | None:
    """Take the first step, in the present context; None if it was the last one, too."""
    # With a default, ``next`` makes no exception of the end, which costs as much as the step.
    waits_for = next(work.__await__(), _ENDED)
    if waits_for is not _ENDED:
        return Waiting(work, waits_for, run)
    if run.emission is not None:
        run.emission.check()
    return None


@coroutine
def finish(waiting: Waiting, context: Context) -> Generator[Any, Any, None]:
    """Await the rest of what has begun, within ``context``.

    Raises what the work raises; a GeneratorExit of its own, which would look as if this task were
    closed, as RuntimeError.
    """
    work, waits_for, run = waiting
    closed = False
    while True:
        try:
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001 - thrown into the work, as await does
                closed = isinstance(error, GeneratorExit)
                waits_for = context.run(work.throw, error)
            else:
                waits_for = context.run(work.send, sent)
        except StopIteration:
            if run.emission is not None:
                run.emission.check()
            return
        except GeneratorExit as error:
            if closed:
                raise
            raise RuntimeError("the handler raised GeneratorExit") from error
