"""What a backlog means: how long until it is worked off, and how many workers it wants. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW = 300.0
"""Seconds over which rates are taken."""
_STEADY = 60.0
"""Seconds over which a backlog must grow at a rate to be expected to grow on."""
_MEASURED = 15.0
"""Seconds of backlog after which this worker's own rate counts as what it can do."""


@dataclass(frozen=True, slots=True)
class Look:
    """One handler at one moment, both ways together; paused ways are left out of the backlog."""

    at: float
    """When, by the monotonic clock."""
    pending: float
    """Messages that wait at the server."""
    delivered: float
    """Deliveries the server ever made, to all workers."""
    unsettled: float
    """Of those, how many are not settled."""
    received: int
    """Deliveries that came to this worker."""
    redelivered: int
    """Of those, how many were not the first."""
    runs: int
    """Runs that ended here."""
    seconds: float
    """What these runs took, added up."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Answers, from the looks of the last minutes."""

    time_to_drain: float
    """Seconds; infinite while nothing is worked off."""
    desired_replicas: int
    """Worker processes, at least one."""


class Forecast:
    """Answers for one handler, from one look to the next.

    ``slots``: of this process. ``drain_target``: seconds in which a backlog should be worked off.
    """

    def __init__(self, slots: int, drain_target: float) -> None:
        self._slots = slots
        self._drain_target = drain_target
        self._looks: deque[Look] = deque()
        self._measured: float | None = None

    def add(self, look: Look) -> Demand | None:
        """The answers after one more look; None after the first."""
        looks = self._looks
        if looks and look.delivered < looks[-1].delivered:
            looks.clear()  # the consumer was made anew: its counts began at nought
        looks.append(look)
        while look.at - looks[0].at > WINDOW:
            looks.popleft()
        if len(looks) < 2:
            return None
        self._measured = own_rate(looks, self._slots) or self._measured
        replica = self._measured or _rate_by_slots(look, self._slots)
        return Demand(
            _time_to_drain(looks, replica),
            _replicas(looks, replica, self._drain_target),
        )


def group_rate(looks: Sequence[Look]) -> float:
    """Messages a second that all workers together were done with.

    The server counts deliveries, so redeliveries are taken off as far as this worker has its
    share of them.
    """
    first, last = looks[0], looks[-1]
    ended = (last.delivered - last.unsettled) - (first.delivered - first.unsettled)
    received = last.received - first.received
    repeated = (last.redelivered - first.redelivered) / received if received > 0 else 0.0
    return max(0.0, ended) * (1.0 - min(1.0, repeated)) / (last.at - first.at)


def own_rate(looks: Sequence[Look], slots: int) -> float:
    """Runs a second of this worker while more waited than it could hold; 0 if that is unknown.

    What it really does counts whatever bounds it: slots, threads, or the one core it has.
    """
    seconds, runs = 0.0, 0
    for before, after in zip(looks, list(looks)[1:], strict=False):
        if before.pending > slots and after.pending > slots:
            seconds += after.at - before.at
            runs += after.runs - before.runs
    return runs / seconds if seconds >= _MEASURED else 0.0


def _rate_by_slots(look: Look, slots: int) -> float:
    """Runs a second if every slot were always busy; 0 before the first run."""
    return slots * look.runs / look.seconds if look.seconds > 0 else 0.0


def _time_to_drain(looks: Sequence[Look], replica: float) -> float:
    pending = looks[-1].pending
    if not pending:
        return 0.0
    rate = group_rate(_since_backlog(looks))
    if not looks[-2].pending:  # it has only just come: nobody was asked to be quicker
        rate = max(rate, replica)
    return pending / rate if rate else math.inf


def _since_backlog(looks: Sequence[Look]) -> Sequence[Look]:
    """From the last look that found nothing on: before, nobody worked at full rate."""
    start = len(looks) - 2
    while start > 0 and looks[start].pending:
        start -= 1
    return list(looks)[start:]


def _growth(looks: Sequence[Look]) -> float:
    """Messages a second by which the backlog grew: what arrived and was not worked.

    A burst within the first looks is not taken for what goes on arriving.
    """
    first, last = looks[0], looks[-1]
    grown, seconds = last.pending - first.pending, last.at - first.at
    return grown / (max(seconds, _STEADY) if grown > 0 else seconds)


def _replicas(looks: Sequence[Look], replica: float, target: float) -> int:
    wanted = max(0.0, group_rate(looks) + _growth(looks)) + looks[-1].pending / target
    return max(1, math.ceil(wanted / replica - 1e-9)) if replica else 1
