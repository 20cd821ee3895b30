"""The suspects of one handler: deliveries that are not the first of their carrier."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from glam_shared.errors import InfrastructureError
from glam_worker.declare.retry import ACK, HandBack, Settlement
from glam_worker.runtime.gate import NotAlone, Turn
from glam_worker.runtime.isolation import Host, Isolation
from glam_worker.runtime.ledger import NOTHING, Ledger, Record, Start, amend, forgotten
from glam_worker.runtime.ledger_changes import after, begun, ended
from glam_worker.runtime.protocols import Delivery, Way, WayFacts
from glam_worker.runtime.verdict import Verdict, judge

_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_AFTER_TIMEOUT = 1.0
"""Seconds for a run alone to end after its timeout has cancelled it; then others go on."""


class Rules(NamedTuple):
    """What a handler's declaration says about its suspects."""

    attempts: int
    timeout: float
    most: int
    """How many may wait, so that the others have credits."""


@dataclass(slots=True)
class _Case:
    """A suspect on its way to its run."""

    record: Record = NOTHING
    start: Start | None = None
    turn: Turn | None = None
    """Its right to run alone."""
    pause: float = 0.0
    """Seconds it waited the last time that the ledger did not take its start."""
    dropped: bool = False
    """Whether its connection is gone since."""


class Suspects:
    """Looks a suspect up in the ledger, and lets it run beside the others, alone, or not at all.

    * ``take``: it arrived; it waits under its lease until the ledger was read;
    * ``begin`` and ``ended``: its start is written before it is decoded, and struck out after;
    * ``drop``, ``hand_back`` and ``strike``: what did not start, and what did not end.
    """

    def __init__(
        self, ledger: Ledger, isolation: Isolation, rules: Rules, facts: dict[Way, WayFacts]
    ) -> None:
        self._host: Host
        self._ledger = ledger
        self._isolation = isolation
        self._rules = rules
        self._facts = facts
        self._cases: dict[Delivery, _Case] = {}
        self._following: dict[Delivery, asyncio.Task[None]] = {}
        """Those that neither run nor wait for a slot."""
        isolation.join(self)
        self._stuck: set[Delivery] = set()
        """Those that may wait long, or did."""
        self._problem: str | None = None
        self._crowded_until = 0.0
        """When a suspect that was handed back, as others ran on, will have come again."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def problem(self) -> str | None:
        """Why suspects wait; None when the ledger answers, or none waits."""
        return self._problem if self._stuck else None

    @property
    def crowded(self) -> bool:
        """Whether one must run alone, and cannot: another run goes on past its timeout."""
        return time.monotonic() < self._crowded_until and self._isolation.gate.crowded

    @property
    def unstarted(self) -> list[Delivery]:
        """Suspects that did not start and are not in the queue for a slot."""
        return list(self._following)

    def join(self, host: Host) -> None:
        """Work for this pipeline."""
        self._host = host
        self._isolation.gate.join(host)

    def run_ended(self) -> None:
        """A run ended while nothing starts: a suspect may be alone by now."""
        self._isolation.gate.run_ended()

    def take(self, delivery: Delivery, pause: float = 0.0) -> None:
        """Find out what is known of it, after ``pause`` seconds."""
        self._cases[delivery] = _Case(pause=pause)
        task = asyncio.create_task(self._follow(delivery, pause))
        self._following[delivery] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- until it runs ---

    async def _follow(self, delivery: Delivery, pause: float) -> None:
        """A fault of ours costs one suspect its lease."""
        try:
            verdict = await self._verdict(delivery, pause)
            if verdict is not None:
                await self._carry_out(delivery, verdict)
        except BaseException:
            self._leave(delivery)
            if delivery in self._host.held:
                self._host.lapse(delivery)
            raise
        finally:
            self._host.wants_more()

    async def _verdict(self, delivery: Delivery, pause: float) -> Verdict | None:
        """What is done about it; None if that is not for us to say any more."""
        if delivery.acked_before():  # that ack got lost, or was overtaken
            return Verdict(delivery.counted, ACK)
        if pause and not await self._wait(delivery, pause):
            return None
        while True:
            try:
                record, parked = await self._ledger.look(delivery.carrier)
            except InfrastructureError as error:
                self._trouble(delivery, error)
                pause = _longer(pause)
                if not await self._wait(delivery, pause):
                    return None
            else:
                break
        if self._host.lapsed(delivery):
            self._host.lapse(delivery)
            return None
        self._cases[delivery].record = record
        now = self._isolation.now()
        return judge(record, delivery.counted, self._rules.attempts, now, parked=parked)

    def _trouble(self, delivery: Delivery, error: Exception) -> None:
        if self._problem is None:
            self._facts[delivery.way].ledger_away(delivery, error)
        self._problem = f"events that were handed out before wait for the ledger: {error}"

    async def _wait(self, delivery: Delivery, pause: float) -> bool:
        if not await self._may_wait(delivery):
            return False
        await asyncio.sleep(pause)
        return True

    async def _may_wait(self, delivery: Delivery) -> bool:
        """Whether it may hold its credit for long; else it is handed back."""
        if delivery not in self._stuck and len(self._stuck) >= self._rules.most:
            await self._settle(delivery, HandBack(self._host.ack_wait))
            return False
        self._stuck.add(delivery)
        return True

    async def _carry_out(self, delivery: Delivery, verdict: Verdict) -> None:
        delivery.counted = verdict.counted
        if verdict.settlement is not None:
            self._problem = None
            await self._settle(delivery, verdict.settlement)
        elif verdict.alone:
            await self._alone(delivery)
        else:
            self._leave(delivery)
            self._host.admit(delivery)

    async def _alone(self, delivery: Delivery) -> None:
        if not await self._may_wait(delivery):
            return
        try:
            turn = await self._isolation.gate.enter(self._rules.timeout + _AFTER_TIMEOUT)
        except NotAlone:
            self._crowded_until = time.monotonic() + 2 * self._host.ack_wait
            await self._settle(delivery, HandBack(self._host.ack_wait))
            return
        case = self._cases[delivery]
        case.turn = turn
        self._leave(delivery)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it was made in `take`
        self._facts[delivery.way].alone(delivery, len(case.record.starts))
        try:
            await self._host.work(delivery, task)
        finally:
            turn.end()

    async def _settle(self, delivery: Delivery, settlement: Settlement) -> None:
        record = self._cases[delivery].record
        self._leave(delivery)
        done = await self._host.settle_unrun(delivery, settlement)
        if record != NOTHING and not isinstance(done, HandBack):
            strikes = self._isolation.strikes
            await strikes.make(self._ledger, delivery.carrier, record, forgotten)

    def _leave(self, delivery: Delivery) -> None:
        """It does not wait here any more."""
        self._following.pop(delivery, None)

    # --- the run ---

    async def begin(self, delivery: Delivery) -> bool:
        """Write its start; False if it must not run now, and is taken care of."""
        case = self._cases[delivery]
        case.start = start = Start(uuid.uuid4().hex[:12], case.turn is not None)
        change = partial(begun, start)
        try:
            case.record = await amend(self._ledger, delivery.carrier, case.record, change)
        except InfrastructureError as error:
            self._trouble(delivery, error)
            self._not_begun(delivery, case, start)
            return False
        if case.dropped or self._host.closed or self._host.lapsed(delivery):
            self._not_begun(delivery, case, start)
            return False
        self._problem = None
        self._stuck.discard(delivery)
        return True

    def _not_begun(self, delivery: Delivery, case: _Case, start: Start) -> None:
        """The start may be written, and its run does not begin."""
        self._isolation.strikes.owe(self._ledger, delivery.carrier, partial(ended, start))
        if case.turn is not None:
            case.turn.end()
        if case.dropped or self._host.lapsed(delivery):
            self._host.lapse(delivery)
        elif self._host.closed:
            self._host.give_back(delivery)
        else:
            self.take(delivery, _longer(case.pause))

    async def ended(self, delivery: Delivery, settlement: Settlement) -> None:
        """Its run ended, and this is to be done: strike its start out."""
        case = self._cases.pop(delivery)
        assert case.start is not None  # noqa: S101 - it ran
        change = after(settlement, case.start)
        await self._isolation.strikes.make(self._ledger, delivery.carrier, case.record, change)
        if case.turn is not None:
            case.turn.end()

    # --- what did not start, and what did not end ---

    def forget(self, delivery: Delivery) -> None:
        """It is out of our hands."""
        self._cases.pop(delivery, None)
        self._stuck.discard(delivery)

    def drop(self, way: Way) -> None:
        """The connection that ``way`` came over is gone: nothing starts that came over it."""
        for delivery, case in list(self._cases.items()):
            if delivery.way == way:
                case.dropped = True
                if self._stopped_following(delivery):
                    self._host.lapse(delivery)

    def hand_back(self) -> None:
        """Give back what did not start."""
        for delivery in list(self._following):
            if self._stopped_following(delivery):
                self._host.give_back(delivery)

    def strike(self) -> None:
        """Strike out what runs on although the worker ends: its process did not die in it."""
        for delivery, case in self._cases.items():
            if case.start is not None:
                change = partial(ended, case.start)
                self._isolation.strikes.owe(self._ledger, delivery.carrier, change)

    def _stopped_following(self, delivery: Delivery) -> bool:
        task = self._following.get(delivery)
        self._leave(delivery)
        if task is not None:
            task.cancel()
        return task is not None


def _longer(pause: float) -> float:
    return min(max(_PAUSE, 2 * pause), _LONGEST_PAUSE)
