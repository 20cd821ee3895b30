"""Retry, credits, lease, settlement, suspects and shutdown together, under any order of faults."""

from __future__ import annotations

import asyncio
import logging
import os

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.properties.model import Broker
from tests.properties.simulated import ATTEMPTS, LONGEST_RUN, Simulated, Told
from tests.properties.virtual_time import VirtualTime

settings.register_profile("small", max_examples=12, stateful_step_count=25, deadline=None)
settings.register_profile("nightly", max_examples=10_000, stateful_step_count=50, deadline=None)

KINDS = ["quick", "slow", "fails", "fails once", "rejects", "snoozes", "pill"]
COMES_TO = {"fails": "exhausted", "rejects": "rejected", "pill": "crashed"}
"""The reason of the letter; any other kind is handled."""
QUIET_AFTER = 900.0
"""Seconds, of a clock that jumps, within which everything is done once all is well."""


class Workers(RuleBasedStateMachine):
    """Some processes share a durable; they crash, stop, lose their connection; stores refuse."""

    def __init__(self) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)
        self.time = VirtualTime()
        self.time.install()
        self.broker = Broker(self.time.now)
        self.told = Told()
        self.workers: list[Simulated] = []
        self.faults = 0
        self.cut_short = False
        """Whether a stop may have ended a run before its end: that costs a start, no attempt."""

    @initialize()
    def first(self) -> None:
        self.start()

    @property
    def alive(self) -> list[Simulated]:
        """Processes that run."""
        return [worker for worker in self.workers if not worker.gone]

    def _pass(self, seconds: float) -> None:
        self.time.run(asyncio.sleep(seconds))

    # --- what happens ---

    @rule(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    def publish(self, kinds: list[str]) -> None:
        for kind in kinds:
            job = len(self.told.kinds)
            self.told.kinds[job] = kind
            self.broker.publish(job)

    @rule(seconds=st.sampled_from([0.02, 0.06, 0.3, 1.1, 4.0, 7.0, 31.0]))
    def passes(self, seconds: float) -> None:
        self._pass(seconds)

    @precondition(lambda self: len(self.alive) < 3)
    @rule()
    def start(self) -> None:
        async def started() -> Simulated:
            return Simulated(self.broker, self.told)

        self.workers.append(self.time.run(started()))

    @precondition(lambda self: self.alive)
    @rule(which=st.integers(0, 2))
    def crash(self, which: int) -> None:
        self.faults += 1
        self.alive[which % len(self.alive)].crash()

    @precondition(lambda self: self.alive)
    @rule(which=st.integers(0, 2), grace=st.sampled_from([0.0, 1.0, 30.0]))
    def stop(self, which: int, grace: float) -> None:
        self.cut_short = self.cut_short or grace < LONGEST_RUN
        self.time.run(self.alive[which % len(self.alive)].stop(grace))

    @precondition(lambda self: any(worker.connection.live for worker in self.alive))
    @rule(which=st.integers(0, 2))
    def disconnect(self, which: int) -> None:
        connected = [worker for worker in self.alive if worker.connection.live]
        self.faults += 1
        connected[which % len(connected)].disconnect()

    @precondition(lambda self: any(not worker.connection.live for worker in self.alive))
    @rule()
    def reconnect(self) -> None:
        for worker in self.alive:
            if not worker.connection.live:
                self.time.run(worker.reconnect())

    @rule(what=st.sampled_from(["park", "letter", "ledger"]))
    def refuse(self, what: str) -> None:
        self.faults += 1
        self.broker.refuses.add(what)

    @rule()
    def accept(self) -> None:
        self.broker.refuses.clear()

    # --- what holds at any time ---

    @invariant()
    def what_is_held_has_a_credit(self) -> None:
        for worker in self.alive:
            credit = worker.credits
            assert credit.main.held + credit.lane.held == len(worker.pipeline.held)
            assert credit.main.used + credit.lane.used <= credit.capacity

    @invariant()
    def a_lease_that_is_kept_is_not_lost(self) -> None:
        for worker in self.alive:
            ack_wait = worker.pipeline.ack_wait
            for delivery in worker.pipeline.held if worker.connection.live else ():
                lost_while_away = worker.connected_at - delivery.renewed >= ack_wait
                assert lost_while_away or self.time.now() - delivery.renewed < ack_wait

    @invariant()
    def a_pill_costs_a_bounded_number_of_runs(self) -> None:
        for job, kind in self.told.kinds.items():
            if kind == "pill":
                assert self.told.starts[job] <= ATTEMPTS + 2

    # --- what holds in the end ---

    def teardown(self) -> None:
        try:
            self._mend()
            self._judge()
        finally:
            for worker in self.alive:
                worker.crash()
            self._pass(0.0)
            self.time.remove()
            logging.disable(logging.NOTSET)

    def _mend(self) -> None:
        """All is well from now on; a process that dies is replaced."""
        self.broker.refuses.clear()
        self.reconnect()
        began = self.time.now()
        while self.broker.left or any(worker.pipeline.held for worker in self.alive):
            if not self.alive:
                self.start()
            self._pass(1.0)
            waited = self.time.now() - began
            assert waited < QUIET_AFTER, f"never done: {self.broker.left}"
        self._pass(2.0)

    def _judge(self) -> None:
        handled = {one.job for one in self.broker.carriers if one.id in self.broker.handled}
        for job, kind in self.told.kinds.items():
            reasons = {reason for reason, _ in self.broker.letters[job]}
            if kind in COMES_TO:
                crashed = {"crashed"} if self.faults >= ATTEMPTS else set()
                assert reasons, f"job {job}, which {kind}, has no letter"
                assert reasons <= {COMES_TO[kind]} | crashed
            else:
                assert job in handled or reasons == {"crashed"}, f"job {job} ({kind}) is lost"
            if "exhausted" in reasons:
                assert self.told.failed[job] >= ATTEMPTS, "an attempt was counted that was no run"
            if not self.faults and kind not in ("pill", "snoozes") and not self._pills():
                expected = {"fails": 3, "fails once": 2}.get(kind, 1)
                assert self.told.starts[job] >= expected
                assert self.cut_short or self.told.starts[job] == expected
        for worker in self.alive:
            assert not worker.pipeline.held
            assert worker.pipeline.busy == 0

    def _pills(self) -> bool:
        return "pill" in self.told.kinds.values()


TestWorkers = Workers.TestCase
TestWorkers.settings = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "small"))
