"""One handler's deliveries, from arrival to settlement.

A slot is a task that works deliveries one after another for as long as their runs end without
waiting. The first run that waits keeps its slot's task to itself, and another slot goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from glam_worker.declare.outcomes import DONE, Invalid
from glam_worker.declare.retry import ACK, HandBack, Settlement
from glam_worker.runtime.credits import Credits
from glam_worker.runtime.executor import Executor
from glam_worker.runtime.known import held_already
from glam_worker.runtime.protocols import Delivery, Took, Way, WayFacts
from glam_worker.runtime.run import Run
from glam_worker.runtime.runs import Begun, Runs, Step, calmed
from glam_worker.runtime.settlement import Settler
from glam_worker.runtime.strays import Strays
from glam_worker.runtime.suspects import Suspects

_TURN = 0.001
"""Seconds that a slot works before the event loop gets a turn: sockets are read in between."""


class Pipeline:
    """Starts deliveries as slots are free, settles them, and gives their credits back.

    * ``offer``: a delivery arrived;
    * ``drop``, ``quiet`` and ``hand_back_waiting``: what did not start will not;
    * ``drain`` and ``abort``: the end of what runs;
    * ``pause`` and ``resume``: a suspect runs alone (see ``Gate``);
    * ``suspects``: what is not the first delivery of its carrier has a way of its own.
    """

    def __init__(
        self,
        concurrency: int,
        credits: Credits,  # noqa: A002 - the word of the trade
        executor: Executor,
        settler: Settler,
        suspects: Suspects,
        facts: dict[Way, WayFacts],
        timeout: float,
    ) -> None:
        self.concurrency = concurrency
        self.credits = credits
        self.held: dict[Delivery, None] = {}
        """Everything that arrived and is not settled: what the lease keeper keeps alive."""
        self.ack_wait = 30.0
        """Seconds, as the server has it."""
        self.strays = Strays()
        self.wants_more: Callable[[], None] = lambda: None
        """Called when credits came back."""
        self.closed = False
        """Whether nothing starts any more."""
        self.suspects = suspects
        suspects.join(self)
        self._executor = executor
        self._settler = settler
        self._facts = facts
        self._runs = Runs(executor, facts, timeout)
        self._runs.began_to_wait = self._start_slots
        self._waiting: dict[Way, deque[Delivery]] = {"main": deque(), "lane": deque()}
        self._last: Way = "lane"
        self._starting = 0
        self.shut = False
        """Whether nothing starts: for good, or while a suspect runs alone."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()

    @property
    def busy(self) -> int:
        """Slots in use."""
        return self._runs.busy

    @property
    def running(self) -> dict[asyncio.Task[None], Run]:
        """The runs that wait for something, by their task."""
        return self._runs.going

    @property
    def overstays(self) -> int:
        """Runs that go on past their timeout; callable from any thread."""
        return self._runs.overstays

    @property
    def waiting(self) -> set[Delivery]:
        """Deliveries that arrived and did not start."""
        return {*self._waiting["main"], *self._waiting["lane"], *self.suspects.unstarted}

    def offer(self, delivery: Delivery) -> None:
        """Take a delivery in: it starts as soon as a slot is free."""
        self.credits.arrived(delivery.way, delivery.size)
        self.held[delivery] = None
        self._facts[delivery.way].received(delivery)
        if not delivery.first:
            take = self.lapse if held_already(delivery, self.held) else self.suspects.take
            take(delivery)
            return
        self._waiting[delivery.way].append(delivery)
        if not self._starting or self._runs.waits:
            self._start_slots()

    def admit(self, delivery: Delivery) -> None:
        """Let it run as soon as a slot is free."""
        self._waiting[delivery.way].append(delivery)
        self._start_slots()

    def _start_slots(self) -> None:
        """Start as many slots as there is work for: one, where runs end without waiting."""
        if self.shut:
            self.suspects.run_ended()
            return
        free = self.concurrency - self._runs.busy
        if self._starting >= free:
            return
        queued = len(self._waiting["main"]) + len(self._waiting["lane"])
        wanted = min(queued, free if self._runs.waits else 1)
        while self._starting < wanted:
            self._starting += 1
            itself: list[asyncio.Task[None]] = []
            itself.append(self._loop.create_task(self._slot(itself)))
            self._tasks.add(itself[0])

    async def _slot(self, itself: list[asyncio.Task[None]]) -> None:
        """Work deliveries until none waits, a run has waited, or the loop is due a turn.

        It is given its own task, as asking the loop for it costs a system call. A fault of ours
        costs one delivery its lease, and no handler its slots.
        """
        self._starting -= 1
        task = itself[0]
        delivery: Delivery | None = None
        ends = time.monotonic() + _TURN
        try:
            while (now := time.monotonic()) < ends:
                delivery = self._next(now)
                if delivery is None:
                    break
                if delivery.first and self._executor.takes(delivery):
                    step = self._step(delivery, task, now)
                    if step is not None and not await self._rest(delivery, step, task):
                        break
                elif not await self.work(delivery, task):
                    break
        except BaseException:
            if delivery is not None:
                self._release(delivery)
            raise
        finally:
            self._tasks.discard(task)
            self._start_slots()
            self.wants_more()

    def _next(self, now: float) -> Delivery | None:
        """The next delivery to start, the two ways in turn."""
        if self._runs.busy >= self.concurrency or self.shut:
            return None
        other: Way = "lane" if self._last == "main" else "main"
        way = other if self._waiting[other] else self._last
        waiting = self._waiting[way]
        while waiting:
            delivery = waiting.popleft()
            if now - delivery.renewed < self.ack_wait:
                self._last = way
                return delivery
            self.lapse(delivery)
        return None

    async def work(self, delivery: Delivery, task: asyncio.Task[None]) -> bool:
        """Run and settle one delivery; whether the slot may take another one."""
        if not self._executor.takes(delivery):
            return await self._refuse(delivery)
        if not delivery.first and not await self._begun(delivery):
            return False
        step = self._step(delivery, task, time.monotonic())
        return step is None or await self._rest(delivery, step, task)

    def _step(self, delivery: Delivery, task: asyncio.Task[None], started: float) -> Step | None:
        """Decode it and run it up to its first wait; None if there was none, and it is acked."""
        read = self._executor.decode(delivery, started)
        if isinstance(read, Invalid):
            return Step(started, None, read)
        got = self._runs.begin(read)
        if got is DONE and delivery.first and not task.cancelling() and delivery.ack():
            self._release(delivery)
            self._facts[delivery.way].acked(delivery, read, started, time.monotonic())
            return None
        return Step(started, read, got)

    async def _rest(self, delivery: Delivery, step: Step, task: asyncio.Task[None]) -> bool:
        """See the run to its end, and settle; whether the slot may take another one."""
        started, run, got = step
        waited = isinstance(got, Begun)
        outcome = await self._runs.rest(got, task) if isinstance(got, Begun) else got
        if task.cancelling():
            await calmed(task)
        ended = time.monotonic()
        settlement = self._settler.decide(outcome, delivery) if outcome else HandBack()
        if not delivery.first:
            await self.suspects.ended(delivery, settlement)
        if settlement is ACK and run is not None and delivery.ack():
            self._release(delivery)
            self._facts[delivery.way].acked(delivery, run, started, ended)
            return not waited
        self._start_slots()
        settlement = await self._settler.settle(delivery, settlement, run)
        self._release(delivery)
        self._facts[delivery.way].settled(delivery, run, settlement, Took(started, ended))
        return False

    async def _begun(self, delivery: Delivery) -> bool:
        """Whether a suspect may run: it takes its slot while its start is written."""
        self._runs.busy += 1
        try:
            return await self.suspects.begin(delivery)
        finally:
            self._runs.busy -= 1

    async def _refuse(self, delivery: Delivery) -> bool:
        """Settle what no durable of ours hands out: it is not run."""
        met = self.strays.met(delivery, self.ack_wait)
        decided = met if isinstance(met, HandBack) else self._settler.decide(met, delivery)
        await self.settle_unrun(delivery, decided)
        return False

    async def settle_unrun(self, delivery: Delivery, settlement: Settlement) -> Settlement:
        """Settle without a run; what was really done."""
        settlement = await self._settler.settle(delivery, settlement, None)
        self._release(delivery)
        self._facts[delivery.way].settled(delivery, None, settlement, None)
        return settlement

    def _release(self, delivery: Delivery) -> None:
        """The delivery is out of our hands: its lease and its credit end."""
        if delivery not in self.held:
            return
        del self.held[delivery]
        if not delivery.first:
            self.suspects.forget(delivery)
        self.credits.settled(delivery.way, delivery.size)
        if not self.held:
            self._idle.set()

    def lapsed(self, delivery: Delivery) -> bool:
        """Whether the delivery may be another worker's by now."""
        return time.monotonic() - delivery.renewed >= self.ack_wait

    def lapse(self, delivery: Delivery) -> None:
        """Drop a delivery that may be another worker's by now."""
        self._facts[delivery.way].lapsed(delivery)
        self._release(delivery)

    def give_back(self, delivery: Delivery) -> None:
        """Let another worker have the delivery, now."""
        delivery.hand_back()
        self._release(delivery)
        self._facts[delivery.way].settled(delivery, None, HandBack(), None)

    def drop(self, way: Way) -> None:
        """Forget what waits on ``way``: the connection it came from is gone."""
        while waiting := self._waiting[way]:
            self.lapse(waiting.popleft())
        self.suspects.drop(way)

    def pause(self) -> None:
        """Start nothing for now."""
        self.shut = True

    def resume(self) -> None:
        """Start again, unless it is the end."""
        self.shut = self.closed
        self._start_slots()

    def quiet(self) -> None:
        """Start nothing from now on."""
        self.closed = self.shut = True

    def hand_back_waiting(self) -> None:
        """Give back what did not start."""
        for waiting in self._waiting.values():
            while waiting:
                self.give_back(waiting.popleft())
        self.suspects.hand_back()

    async def drain(self) -> None:
        """Return when nothing is held any more."""
        while self.held:
            self._idle.clear()
            await self._idle.wait()

    def abort(self) -> None:
        """Cut short what still runs; a run cut short costs no attempt."""
        self._runs.abort()
