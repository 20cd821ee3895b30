"""The runs of one handler: each ends by itself, at its timeout, or because the worker stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import NamedTuple

from glam_worker.declare.outcomes import DONE, Outcome
from glam_worker.runtime.deadlines import Deadlines
from glam_worker.runtime.executor import Executor
from glam_worker.runtime.protocols import Way, WayFacts
from glam_worker.runtime.run import Run
from glam_worker.runtime.stepping import Waiting, finish


class Begun(NamedTuple):
    """A run that waits."""

    run: Run
    waiting: Waiting
    context: Context


class Step(NamedTuple):
    """What a delivery that was not acked at once has come to."""

    started: float
    run: Run | None
    """None for an event that could not be read."""
    got: Outcome | Begun


class Runs:
    """Calls the handler in the task of a slot, and tells what the call meant.

    * ``begin`` and ``rest``: one run, up to its first wait and from there to its outcome;
    * ``abort``: cut short what runs; a run cut short has no outcome.
    """

    def __init__(self, executor: Executor, facts: dict[Way, WayFacts], timeout: float) -> None:
        self.going: dict[asyncio.Task[None], Run] = {}
        """The runs that wait for something, by the task that is inside of them."""
        self.busy = 0
        """Slots in use."""
        self.waits = False
        """Whether the last run waited, as those to come probably will."""
        self.began_to_wait: Callable[[], None] = lambda: None
        """Called when a run waits, so that another slot may go on."""
        self._executor = executor
        self._facts = facts
        self._deadlines = Deadlines(timeout, self._expire)

    @property
    def overstays(self) -> int:
        """Runs that go on past their timeout, as one in a thread may for ever; from any thread."""
        return sum(run.cut == "timeout" for run in list(self.going.values()))

    def begin(self, run: Run) -> Outcome | Begun:
        """Take the run's first step: its outcome, unless it waits."""
        context = copy_context()
        self.busy += 1
        try:
            waiting = context.run(self._executor.begin, run)
        except BaseException as error:  # noqa: BLE001 - a handler's failure is an outcome
            return self._executor.outcome(error, timed_out=False)
        finally:
            self.busy -= 1
        self.waits = waiting is not None
        return DONE if waiting is None else Begun(run, waiting, context)

    async def rest(self, begun: Begun, task: asyncio.Task[None]) -> Outcome | None:
        """The outcome of a run that waits; None for one that was cut short by stopping."""
        self.busy += 1
        self.going[task] = begun.run
        self._deadlines.watch(task, begun.run.expires)
        self.began_to_wait()
        error: BaseException | None = None
        try:
            await finish(begun.waiting, begun.context)
        except GeneratorExit:
            raise
        except BaseException as raised:  # noqa: BLE001 - a handler's failure is an outcome
            error = raised
        finally:
            self._deadlines.release(task)
            del self.going[task]
            self.busy -= 1
        return self._outcome(begun.run, error)

    def _outcome(self, run: Run, error: BaseException | None) -> Outcome | None:
        cancelled = run.cut is not None and isinstance(error, asyncio.CancelledError)
        cut = run.cut if cancelled or (error is None and run.ignored_its_end) else None
        if cut == "stopping":
            return None
        return self._executor.outcome(error, timed_out=cut == "timeout")

    def _expire(self, task: asyncio.Task[None]) -> None:
        run = self.going[task]
        if run.phase == "returned":
            return  # the handler was in time
        if run.phase == "called":
            self._facts[run.delivery.way].expired(run.delivery)
        run.cut = "timeout"
        task.cancel()

    def abort(self) -> None:
        """Cut short what still runs; a run cut short costs no attempt."""
        for task, run in list(self.going.items()):
            run.cut = "stopping"
            task.cancel()


async def calmed(task: asyncio.Task[None]) -> None:
    """Take in what is left of a cancellation, so that it does not hit what the task does next.

    Before Python 3.13, ``uncancel`` alone leaves one pending that the handler did not wait for.
    """
    while task.cancelling():
        task.uncancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
