"""Time to drain and desired replicas, as a function of what was seen."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest

from glam_worker.observe.demand import WINDOW, Demand, Forecast, Look

SLOTS = 10


def seen(
    number: int,
    *,
    pending: float = 0.0,
    settled: float = 0.0,
    unsettled: float = 0.0,
    runs: int = 0,
    took: float = 0.1,
    redelivered: int = 0,
) -> Look:
    """The look number ``number``, of one every 10 s; ``runs`` of this worker took ``took`` each."""
    return Look(
        at=10.0 * number,
        pending=pending,
        delivered=settled + unsettled,
        unsettled=unsettled,
        received=runs,
        redelivered=redelivered,
        runs=runs,
        seconds=runs * took,
    )


def after(looks: Iterable[Look], drain_target: float = 60.0) -> Demand:
    """The answers after the last of the looks."""
    forecast = Forecast(SLOTS, drain_target)
    *_, last = [forecast.add(look) for look in looks]
    assert last is not None
    return last


def test_one_look_answers_nothing() -> None:
    """A rate needs two moments."""
    assert Forecast(SLOTS, 60.0).add(seen(0, pending=5)) is None


def test_nothing_waiting_needs_no_time_and_one_worker() -> None:
    """Idle is drained; one worker always stays, for who else would see the next event?"""
    assert after([seen(0), seen(1)]) == Demand(0.0, 1)


def test_a_backlog_is_drained_at_the_rate_of_all_workers() -> None:
    """1000 waiting, at 100 a second over the group, are 10 seconds."""
    looks = [seen(n, pending=1000, settled=1000 * n, runs=100 * n) for n in range(4)]

    assert after(looks).time_to_drain == pytest.approx(10.0)


def test_a_backlog_that_nobody_works_takes_for_ever() -> None:
    """Waiting messages and no settlement between two looks: infinity, not a large number."""
    assert after([seen(0, pending=7), seen(1, pending=7)]).time_to_drain == math.inf


def test_one_event_after_a_quiet_hour_is_no_alarm() -> None:
    """What has only just come is counted with what this worker can do, not with the idle rate."""
    quiet = [seen(n, settled=100, runs=100, took=0.1) for n in range(30)]

    drain = after([*quiet, seen(30, pending=1, settled=100, runs=100)]).time_to_drain

    assert drain == pytest.approx(1 / (SLOTS / 0.1))


def test_rates_are_taken_since_the_backlog_began() -> None:
    """A quiet time before a burst does not make the burst look slow."""
    quiet = [seen(n) for n in range(21)]
    burst = [seen(20 + n, pending=6000 - 1000 * n, settled=1000 * n, runs=n) for n in range(1, 4)]

    assert after([*quiet, *burst]).time_to_drain == pytest.approx(3000 / 100)


def test_a_worker_that_always_had_enough_shows_what_one_can_do() -> None:
    """Its own rate counts, whatever bounds it: here one core, at a tenth of what slots promise."""
    looks = [
        seen(n, pending=6000 + 1000 * n, settled=100 * n, runs=100 * n, took=0.1) for n in range(4)
    ]

    # 10 a second are settled, 3000 more came within a minute, 9000 shall be gone in 60 s
    assert after(looks).desired_replicas == (10 + 3000 / 60 + 9000 / 60) / 10


def test_without_such_a_time_slots_and_durations_tell() -> None:
    """10 slots and runs of 0.1 s make 100 a second; 250 a second arrive and are worked."""
    looks = [seen(n, settled=2500 * n, runs=500 * n, took=0.1) for n in range(4)]

    assert after(looks).desired_replicas == 3


def test_the_target_says_how_many_work_off_a_backlog() -> None:
    """The shorter the target, the more workers."""
    looks = [seen(n, pending=6000, settled=1000 * n, runs=1000 * n) for n in range(4)]

    replicas = [after(looks, target).desired_replicas for target in (60.0, 6.0)]

    assert replicas == [2, 11]


def test_a_burst_is_not_taken_for_what_goes_on_arriving() -> None:
    """6000 at once, ten seconds after the start: a backlog to work off, not 600 a second."""
    looks = [seen(0), seen(1, pending=5000, settled=1000, runs=1000)]

    assert after(looks).desired_replicas == math.ceil((100 + 5000 / 60 + 5000 / 60) / 100)


def test_redeliveries_are_no_progress() -> None:
    """A storm of redeliveries counts as work that is not done."""
    looks = [
        seen(n, pending=1000, settled=1000 * n, runs=100 * n, redelivered=90 * n) for n in range(4)
    ]

    assert after(looks).time_to_drain == pytest.approx(100.0)


def test_a_consumer_made_anew_begins_anew() -> None:
    """Its counts start at nought: no negative rate, and no answer before the second look."""
    forecast = Forecast(SLOTS, 60.0)
    forecast.add(seen(0, settled=1_000_000))

    assert forecast.add(seen(1, pending=5)) is None
    assert forecast.add(seen(2, pending=5, settled=10, runs=10)) is not None


def test_looks_do_not_pile_up() -> None:
    """Of a worker that lives for months, the last minutes are kept."""
    forecast = Forecast(SLOTS, 60.0)
    for number in range(10_000):
        forecast.add(seen(number, settled=number))

    assert len(forecast._looks) <= WINDOW / 10 + 1
