"""One handler's deliveries, from arrival to settlement.

A slot is a task that works deliveries one after another for as long as their runs end without
waiting. The first run that waits keeps its slot's task to itself, and another slot goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context

from glam_worker.declare.outcomes import DONE, Invalid, Outcome
from glam_worker.declare.retry import ACK, HandBack, Settlement
from glam_worker.runtime.credits import Credits
from glam_worker.runtime.deadlines import Deadlines
from glam_worker.runtime.executor import Executor
from glam_worker.runtime.protocols import Delivery, Took, Way, WayFacts
from glam_worker.runtime.run import Run
from glam_worker.runtime.settlement import Settler
from glam_worker.runtime.stepping import Waiting, finish

_TURN = 0.01
"""Seconds that a slot works before the event loop gets a turn: sockets are read in between."""


class Pipeline:
    """Starts deliveries as slots are free, settles them, and gives their credits back.

    * ``offer``: a delivery arrived;
    * ``drop``, ``quiet`` and ``hand_back_waiting``: what did not start will not;
    * ``drain`` and ``abort``: the end of what runs.
    """

    def __init__(
        self,
        concurrency: int,
        credits: Credits,  # noqa: A002 - the word of the trade
        executor: Executor,
        settler: Settler,
        facts: dict[Way, WayFacts],
        timeout: float,
    ) -> None:
        self.concurrency = concurrency
        self.credits = credits
        self.running: dict[asyncio.Task[None], Delivery] = {}
        self.held: dict[Delivery, None] = {}
        """Everything that arrived and is not settled: what the lease keeper keeps alive."""
        self.ack_wait = 30.0
        """Seconds, as the server has it."""
        self.stray: str | None = None
        """A subject that was handed out although the declared filter does not match it."""
        self.wants_more: Callable[[], None] = lambda: None
        """Called when credits came back."""
        self._executor = executor
        self._settler = settler
        self._facts = facts
        self._waiting: dict[Way, deque[Delivery]] = {"main": deque(), "lane": deque()}
        self._last: Way = "lane"
        self._busy = 0
        self._starting = 0
        self._waits = False
        """Whether the last run waited, as those to come probably will."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._deadlines = Deadlines(timeout, self._expire)
        self._cut: dict[asyncio.Task[None], str] = {}
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def busy(self) -> int:
        """Slots in use."""
        return self._busy

    @property
    def waiting(self) -> int:
        """Deliveries that arrived and did not start."""
        return len(self._waiting["main"]) + len(self._waiting["lane"])

    def offer(self, delivery: Delivery) -> None:
        """Take a delivery in: it starts as soon as a slot is free."""
        self.credits.arrived(delivery.way, delivery.size)
        self.held[delivery] = None
        self._idle.clear()
        self._facts[delivery.way].received(delivery)
        self._waiting[delivery.way].append(delivery)
        self._start_slots()

    def _start_slots(self) -> None:
        """Start as many slots as there is work for: one, where runs end without waiting."""
        free = self.concurrency - self._busy
        if self._closed or free <= self._starting:
            return
        wanted = min(self.waiting, free) if self._waits else min(self.waiting, 1)
        while self._starting < wanted:
            self._starting += 1
            self._tasks.add(self._loop.create_task(self._slot()))

    async def _slot(self) -> None:
        """Work deliveries until none waits, a run has waited, or the loop is due a turn.

        A fault of ours costs one delivery its lease, and no handler its slots.
        """
        self._starting -= 1
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a slot is a task
        delivery: Delivery | None = None
        ends = time.monotonic() + _TURN
        try:
            while time.monotonic() < ends:
                delivery = self._next()
                if delivery is None or not await self._work(delivery, task):
                    break
        except BaseException:
            if delivery is not None:
                self._release(delivery)
            raise
        finally:
            self._tasks.discard(task)
            self._start_slots()
            self.wants_more()

    def _next(self) -> Delivery | None:
        """The next delivery to start, the two ways in turn."""
        if self._busy >= self.concurrency or self._closed:
            return None
        other: Way = "lane" if self._last == "main" else "main"
        way = other if self._waiting[other] else self._last
        waiting = self._waiting[way]
        while waiting:
            delivery = waiting.popleft()
            if time.monotonic() - delivery.renewed < self.ack_wait:
                self._last = way
                return delivery
            self._facts[way].lapsed(delivery)
            self._release(delivery)
        return None

    async def _work(self, delivery: Delivery, task: asyncio.Task[None]) -> bool:
        """Run and settle one delivery; whether the slot may take another one."""
        started = time.monotonic()
        if not self._executor.takes(delivery):
            return await self._refuse(delivery)
        read = self._executor.decode(delivery, started)
        run: Run | None = None
        outcome: Outcome | None
        waited = False
        if isinstance(read, Invalid):
            outcome = read
        else:
            run = read
            outcome, waited = await self._run(run, delivery, task)
            if task.cancelling():
                await _calmed(task)
        took = Took(started, time.monotonic())
        settlement = self._settler.decide(outcome, delivery) if outcome else HandBack()
        if settlement is ACK and delivery.ack():
            self._finished(delivery, run, settlement, took)
            return not waited
        self._start_slots()
        settlement = await self._settler.settle(delivery, settlement, run)
        self._finished(delivery, run, settlement, took)
        return False

    async def _refuse(self, delivery: Delivery) -> bool:
        """Hand back what the declared filter does not match: the durable was changed."""
        self.stray = delivery.subject
        settlement = await self._settler.settle(delivery, HandBack(self.ack_wait), None)
        self._finished(delivery, None, settlement, None)
        return False

    async def _run(
        self, run: Run, delivery: Delivery, task: asyncio.Task[None]
    ) -> tuple[Outcome | None, bool]:
        """The outcome of one run (None: cut short by stopping) and whether it waited."""
        context = copy_context()
        waiting: Waiting | None = None
        self._busy += 1
        try:
            waiting = context.run(self._executor.begin, run)
            if waiting is not None:
                return await self._rest(run, delivery, waiting, context, task), True
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - a handler's failure is an outcome
            return self._executor.outcome(error, timed_out=False), False
        finally:
            self._busy -= 1
        self._waits = False
        return DONE, False

    async def _rest(
        self,
        run: Run,
        delivery: Delivery,
        waiting: Waiting,
        context: Context,
        task: asyncio.Task[None],
    ) -> Outcome | None:
        """The outcome of a run that waits: it may be cut short by its timeout or by stopping."""
        self.running[task] = delivery
        self._waits = True
        self._deadlines.watch(task, run.expires)
        self._start_slots()
        error: BaseException | None = None
        try:
            await finish(waiting, context)
        except GeneratorExit:
            raise
        except BaseException as raised:  # noqa: BLE001 - a handler's failure is an outcome
            error = raised
        finally:
            self._deadlines.release(task)
            del self.running[task]
        return self._outcome(task, error)

    def _outcome(self, task: asyncio.Task[None], error: BaseException | None) -> Outcome | None:
        cut = self._cut.pop(task, None)
        if cut == "stopping" and isinstance(error, asyncio.CancelledError):
            return None
        return self._executor.outcome(error, timed_out=cut == "timeout")

    def _expire(self, task: asyncio.Task[None]) -> None:
        self._cut[task] = "timeout"
        delivery = self.running[task]
        self._facts[delivery.way].expired(delivery)
        task.cancel()

    def _finished(
        self, delivery: Delivery, run: Run | None, settlement: Settlement, took: Took | None
    ) -> None:
        self._release(delivery)
        self._facts[delivery.way].settled(delivery, run, settlement, took)

    def _release(self, delivery: Delivery) -> None:
        """The delivery is out of our hands: its lease and its credit end."""
        if delivery not in self.held:
            return
        del self.held[delivery]
        self.credits.settled(delivery.way, delivery.size)
        if not self.held:
            self._idle.set()

    def drop(self, way: Way) -> None:
        """Forget what waits on ``way``: the connection it came from is gone."""
        waiting = self._waiting[way]
        while waiting:
            delivery = waiting.popleft()
            self._facts[way].lapsed(delivery)
            self._release(delivery)

    def quiet(self) -> None:
        """Start nothing from now on."""
        self._closed = True

    def hand_back_waiting(self) -> None:
        """Give back what did not start."""
        for waiting in self._waiting.values():
            while waiting:
                delivery = waiting.popleft()
                delivery.hand_back()
                self._finished(delivery, None, HandBack(), None)

    async def drain(self) -> None:
        """Return when nothing is held any more."""
        await self._idle.wait()

    def abort(self) -> None:
        """Cut short what still runs; a run cut short costs no attempt."""
        for task in list(self.running):
            self._cut[task] = "stopping"
            task.cancel()


async def _calmed(task: asyncio.Task[None]) -> None:
    """Take in what is left of a cancellation, so that it does not hit what the task does next.

    Before Python 3.13, ``uncancel`` alone leaves one pending that the handler did not wait for.
    """
    while task.cancelling():
        task.uncancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
