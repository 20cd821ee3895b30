"""Credits: what a worker asks for never exceeds what it may hold."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from glam_worker.runtime.credits import Budget, Credits
from glam_worker.runtime.protocols import Way

WAYS = st.sampled_from(["main", "lane"])
HANDLERS = st.integers(0, 1)
MEGABYTE = 1 << 20


class TwoHandlers(RuleBasedStateMachine):
    """Two handlers of one process share a budget while a server delivers as it likes."""

    @initialize(
        concurrencies=st.lists(st.integers(1, 40), min_size=2, max_size=2),
        limit=st.one_of(st.none(), st.integers(4, 60)),
        byte_limit=st.sampled_from([1, 10, 10 * MEGABYTE]),
    )
    def start(self, concurrencies: list[int], limit: int | None, byte_limit: int) -> None:
        self.limit = limit
        self.concurrencies = concurrencies
        self.budget = None if limit is None else Budget(limit, ways=4)
        self.byte_limit = byte_limit
        self.credits = [Credits(one, self.budget, byte_limit) for one in concurrencies]
        self.held: dict[tuple[int, Way], list[int]] = {}

    def _in_hand(self, handler: int, way: Way) -> list[int]:
        return self.held.setdefault((handler, way), [])

    @rule(handler=HANDLERS, way=WAYS)
    def take(self, handler: int, way: Way) -> None:
        before = self.credits[handler].of(way).requested
        granted = self.credits[handler].take(way)
        assert granted >= 0
        assert self.credits[handler].of(way).requested == before + granted

    @rule(handler=HANDLERS, way=WAYS, size=st.integers(0, 20))
    def arrive(self, handler: int, way: Way, size: int) -> None:
        if self.credits[handler].of(way).requested:
            self.credits[handler].arrived(way, size)
            self._in_hand(handler, way).append(size)

    @rule(handler=HANDLERS, way=WAYS)
    def settle(self, handler: int, way: Way) -> None:
        if self._in_hand(handler, way):
            self.credits[handler].settled(way, self._in_hand(handler, way).pop())

    @rule(handler=HANDLERS, way=WAYS, count=st.one_of(st.none(), st.integers(0, 50)))
    def give_up(self, handler: int, way: Way, count: int | None) -> None:
        """A request ended: expired, refused, or its connection is gone."""
        self.credits[handler].returned(way, count)

    @rule(handler=HANDLERS, way=WAYS, backlog=st.booleans())
    def hear_of_a_backlog(self, handler: int, way: Way, backlog: bool) -> None:
        self.credits[handler].of(way).backlog = backlog

    @rule(handler=HANDLERS, way=WAYS)
    @precondition(lambda self: hasattr(self, "credits"))
    def an_empty_way_gets_one(self, handler: int, way: Way) -> None:
        credit = self.credits[handler]
        if credit.of(way).used == 0:
            assert credit.take(way) >= 1

    @rule(handler=HANDLERS, way=WAYS)
    @precondition(lambda self: hasattr(self, "credits") and self.budget is None)
    def a_free_slot_is_asked_for(self, handler: int, way: Way) -> None:
        """As long as a slot is free, some request is open or can be sent."""
        credit = self.credits[handler]
        mine, other = credit.of(way), credit.of("lane" if way == "main" else "main")
        full = mine.bytes and credit.main.bytes + credit.lane.bytes >= self.byte_limit
        shared = mine.backlog and other.backlog
        busy = mine.held + other.used >= self.concurrencies[handler]
        if not (mine.requested or full or shared or busy):
            assert credit.take(way) >= 1

    @invariant()
    @precondition(lambda self: hasattr(self, "credits"))
    def a_handler_stays_within_its_capacity(self) -> None:
        for credit in self.credits:
            assert credit.main.used + credit.lane.used <= credit.capacity

    @invariant()
    @precondition(lambda self: hasattr(self, "credits"))
    def the_process_stays_within_its_budget(self) -> None:
        if self.budget is not None:
            used = sum(credit.main.used + credit.lane.used for credit in self.credits)
            assert used <= (self.limit or 0)
            assert self.budget.free >= 0

    @invariant()
    @precondition(lambda self: hasattr(self, "credits"))
    def nothing_counted_is_negative(self) -> None:
        for credit in self.credits:
            for way in (credit.main, credit.lane):
                assert min(way.requested, way.held, way.bytes, way.borrowed) >= 0

    def teardown(self) -> None:
        """Everything that was taken comes back when it is settled or given up."""
        for (handler, way), sizes in getattr(self, "held", {}).items():
            for size in sizes:
                self.credits[handler].settled(way, size)
        for credit in getattr(self, "credits", []):
            for way in ("main", "lane"):
                credit.returned(way)
                assert (credit.of(way).used, credit.of(way).bytes) == (0, 0)
        if hasattr(self, "budget") and self.budget is not None:
            assert self.budget.free == (self.limit or 0) - 4


TwoHandlers.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestCreditsHoldWhateverTheServerDoes = TwoHandlers.TestCase


def credits_of(concurrency: int, limit: int | None = None, byte_limit: int = MEGABYTE) -> Credits:
    """The credits of a handler that is alone in its process."""
    budget = None if limit is None else Budget(limit, ways=2)
    return Credits(concurrency, budget, byte_limit)


def test_capacity_is_concurrency_and_a_small_prefetch() -> None:
    """A quarter of the concurrency is prefetched, two messages at least."""
    assert [credits_of(one).capacity for one in (1, 4, 8, 16, 64)] == [3, 6, 10, 20, 80]


def test_a_way_with_a_backlog_leaves_one_credit_to_the_other() -> None:
    """While one way is busy the other can still ask for a message."""
    credit = credits_of(16)
    credit.main.backlog = True

    assert credit.take("main") == credit.capacity - 1
    assert credit.take("lane") == 1


def test_two_backlogs_share_evenly() -> None:
    """When both ways have a backlog, each stays within half of the credits."""
    credit = credits_of(16)
    credit.main.backlog = credit.lane.backlog = True

    assert credit.take("main") == credit.capacity // 2
    assert credit.take("lane") == credit.capacity // 2


def test_too_many_bytes_in_hand_stop_asking() -> None:
    """From the byte limit on nothing more is asked for, until something is settled."""
    credit = credits_of(16, byte_limit=1000)
    credit.main.backlog = True
    credit.take("main")
    for _ in range(4):
        credit.arrived("main", 300)
    credit.returned("main")

    assert credit.take("main") == 0
    credit.settled("main", 300)
    assert credit.take("main") > 0


def test_runs_that_take_long_leave_no_slot_idle() -> None:
    """Without a backlog too there is a request open for as long as a slot is free."""
    credit = credits_of(16)
    for _ in range(16):
        assert credit.main.requested or credit.take("main")
        credit.arrived("main", 1)


def test_small_change_is_not_asked_for() -> None:
    """With requests open, a new one waits until half of the target is free."""
    credit = credits_of(16)
    credit.main.backlog = True
    credit.take("main")
    for _ in range(5):
        credit.arrived("main", 1)
        credit.settled("main", 1)

    assert credit.take("main") == 0
    for _ in range(6):
        credit.arrived("main", 1)
        credit.settled("main", 1)
    assert credit.take("main") == 11


@pytest.mark.parametrize("limit", [2, 3, 10])
def test_the_process_limit_includes_every_ways_own_credit(limit: int) -> None:
    """All that one handler may ask for under ``GLAM_MAX_IN_FLIGHT`` is the limit itself."""
    credit = credits_of(16, limit=limit)
    credit.main.backlog = True
    taken = credit.take("main")
    taken += credit.take("lane")

    assert taken == limit
