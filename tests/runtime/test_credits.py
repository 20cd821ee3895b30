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
        self.now = 0.0
        self.credits = [
            Credits(one, self.budget, byte_limit, clock=lambda: self.now) for one in concurrencies
        ]
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
    def all_arrive(self, handler: int, way: Way) -> None:
        while self.credits[handler].of(way).requested:
            self.arrive(handler, way, 1)

    @rule(handler=HANDLERS, way=WAYS)
    def settle(self, handler: int, way: Way) -> None:
        if self._in_hand(handler, way):
            self.credits[handler].settled(way, self._in_hand(handler, way).pop())

    @rule(handler=HANDLERS, way=WAYS, count=st.one_of(st.none(), st.integers(0, 50)))
    def give_up(self, handler: int, way: Way, count: int | None) -> None:
        """A request ended: expired, refused, or its connection is gone."""
        self.credits[handler].returned(way, count)

    @rule(seconds=st.sampled_from([0.0001, 0.01, 1.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

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
    def a_handler_never_has_more_than_five_times_its_concurrency(self) -> None:
        for credit, concurrency in zip(self.credits, self.concurrencies, strict=True):
            assert credit.main.used + credit.lane.used <= max(5 * concurrency, concurrency + 2) + 1

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


class Worked:
    """A handler with a long backlog that works what it is given in so many seconds each."""

    def __init__(self, concurrency: int, limit: int | None = None) -> None:
        budget = None if limit is None else Budget(limit, ways=2)
        self.now = 0.0
        self.credit = Credits(concurrency, budget, MEGABYTE, clock=lambda: self.now)
        self.credit.main.backlog = True

    def work(self, seconds_each: float) -> None:
        """Ask, and work all that was asked for."""
        for _ in range(self.credit.take("main")):
            self.credit.arrived("main", 1)
            self.now += seconds_each
            self.credit.settled("main", 1)


def test_what_is_worked_in_ten_milliseconds_is_asked_for_ahead() -> None:
    """A handler of 20,000 events a second has 200 in hand or on their way, besides its own."""
    handler = Worked(100)
    for _ in range(6):
        handler.work(0.00005)

    assert handler.credit.capacity == pytest.approx(300, abs=10)


def test_a_burst_of_fast_runs_is_no_rate() -> None:
    """What two runs that end together say about speed is not believed before 10 ms have passed."""
    handler = Worked(8)
    handler.work(0.000_001)
    handler.work(0.000_001)

    assert handler.credit.capacity == 10


def test_a_handler_that_becomes_slow_is_asked_for_no_more_than_its_prefetch() -> None:
    """What it has ahead is worked off before anything is asked for."""
    handler = Worked(100)
    for _ in range(6):
        handler.work(0.00005)
    handler.work(0.1)
    handler.work(0.1)

    assert handler.credit.capacity == 125


def test_what_is_in_hand_ahead_is_bounded_by_the_concurrency() -> None:
    """Four times the concurrency at most: each of them waits if the handler becomes slow."""
    handler = Worked(4)
    for _ in range(2000):
        handler.work(0.000_01)

    assert handler.credit.capacity == 4 + 4 * 4


def test_under_a_process_limit_nothing_is_asked_for_ahead() -> None:
    """A fast handler does not hold what others could have."""
    handler = Worked(4, limit=1000)
    for _ in range(2000):
        handler.work(0.000_01)

    assert handler.credit.capacity == 6


def test_requests_that_bring_nothing_are_not_counted_as_worked() -> None:
    """A quiet stream is asked for what fits its concurrency, however often."""
    handler = Worked(8)
    for _ in range(5):
        handler.credit.take("main")
        handler.now += 0.001
        handler.credit.returned("main")

    assert handler.credit.capacity == 10


def test_the_lane_has_its_credit_while_all_slots_are_in_use() -> None:
    """Slow runs, and as much as may be in hand besides: a parked retry can come all the same."""
    credit = credits_of(100)
    credit.main.backlog = True
    for _ in range(credit.take("main")):
        credit.arrived("main", 1)

    assert credit.take("lane") == 1


def test_the_lane_has_its_credit_while_the_other_way_is_ahead() -> None:
    """Also when the handler has become slow and holds more than its concurrency allows now."""
    handler = Worked(4)
    for _ in range(2000):
        handler.work(0.000_01)
    handler.credit.take("main")
    for _ in range(handler.credit.main.requested):
        handler.credit.arrived("main", 1)
    handler.now += 60.0
    handler.credit.take("lane")
    handler.credit.returned("lane")

    assert handler.credit.take("lane") == 1


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
