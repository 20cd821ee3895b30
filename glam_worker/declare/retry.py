"""When a failed event runs again, and when it has had its chances: pure decisions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from glam_worker.declare.mistakes import Checks, calling_place, noting
from glam_worker.declare.outcomes import (
    Done,
    Duplicate,
    Invalid,
    Outcome,
    Reason,
    Reject,
    Retry,
    Snooze,
)
from glam_worker.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential delays: with the defaults about 1, 4, 16 and 64 seconds, then the dead letters.

    Raises DeclarationError, with file and line of the call, for values that make no policy.
    """

    attempts: int = 5
    """Runs in all, the first included; 1 means no retry."""
    first: float = 1.0
    """Seconds before the second run."""
    factor: float = 4.0
    """What each further delay is multiplied by; 1 keeps it constant."""
    ceiling: float = 300.0
    """Seconds no delay exceeds, jitter aside."""
    jitter: float = 0.2
    """Each delay is spread by up to this share to either side; 0 switches it off."""
    fatal: tuple[type[Exception], ...] = ()
    """Exceptions that reject the event; wins over ``retry_on`` and over the default list."""
    retry_on: tuple[type[Exception], ...] = ()
    """Exceptions that are retried although the default list would reject them."""

    def __post_init__(self) -> None:
        with noting(), Checks(calling_place) as checks:
            self._check(checks)

    def _check(self, checks: Checks) -> None:
        for name, ok, allowed in (
            ("attempts", _is_count(self.attempts), "a whole number from 1 on"),
            ("first", _within(self.first, 0), "seconds from 0 on"),
            ("factor", _within(self.factor, 1), "a number from 1 on"),
            ("ceiling", _within(self.ceiling, 0), "seconds from 0 on"),
            ("jitter", _within(self.jitter, 0, 1), "a share from 0 to 1"),
        ):
            if not ok:
                found = getattr(self, name)
                checks.wrong(f"RetryPolicy {name}={found!r} is not allowed; {name} is {allowed}")
        for name in ("fatal", "retry_on"):
            with checks.one():
                object.__setattr__(self, name, _exceptions(name, getattr(self, name)))

    def delay(self, attempt: int) -> float | None:
        """Seconds to wait after failed ``attempt`` (1-based); None once attempts are spent."""
        if attempt >= self.attempts:
            return None
        try:
            return min(self.first * self.factor ** (attempt - 1), self.ceiling)
        except OverflowError:
            return self.ceiling

    @property
    def longest_delay(self) -> float:
        """Seconds the longest delay may take, jitter included; 0 without retries."""
        last = self.delay(self.attempts - 1) if self.attempts > 1 else None
        return (last or 0.0) * (1.0 + self.jitter)

    @property
    def all_delays(self) -> float:
        """Seconds all delays of an event may take together, jitter included.

        Delays that a handler gives by hand are not among them.
        """
        try:
            return self._growing() * (1.0 + self.jitter)
        except OverflowError:
            return float("inf")

    def _growing(self) -> float:
        """A sum in closed form: an event may have a great many attempts."""
        delays = self.attempts - 1
        if not 0.0 < self.first < self.ceiling or self.factor == 1.0:
            return min(self.first, self.ceiling) * delays
        below = (math.log(self.ceiling) - math.log(self.first)) / math.log(self.factor)
        steps = min(delays, math.ceil(below))
        grown = self.first * (self.factor**steps - 1.0) / (self.factor - 1.0)
        return grown + (delays - steps) * self.ceiling

    def spread(self, delay: float, draw: float) -> float:
        """``delay`` with jitter; ``draw`` is a random number from 0 to 1."""
        return delay * (1.0 + self.jitter * (2.0 * draw - 1.0))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _within(value: object, low: float, high: float = float("inf")) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and low <= float(value) <= high and float(value) != float("inf")  # type: ignore[arg-type]


def _exceptions(name: str, found: Any) -> tuple[type[Exception], ...]:
    types = tuple(found) if isinstance(found, tuple | list | set | frozenset) else (found,)
    for item in types:
        if not (isinstance(item, type) and issubclass(item, Exception)):
            raise DeclarationError(
                f"RetryPolicy {name}={found!r} is not allowed; {item!r} is not an exception type, "
                "such as KeyError"
            )
    return types


@dataclass(frozen=True, slots=True)
class Ack:
    """Tell the server that the carrier is done with."""

    duplicate: bool = False
    """Whether the event had been handled before, so that no handler was called."""


@dataclass(frozen=True, slots=True)
class Park:
    """Publish to the retry stream, due in ``delay`` seconds; then ack."""

    delay: float
    attempts: int
    """Runs counted so far, to be carried along."""
    cause: BaseException | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Publish to the dead letters with ``reason``; then ack."""

    reason: Reason
    attempts: int
    cause: BaseException | None = None


@dataclass(frozen=True, slots=True)
class HandBack:
    """Give the delivery back unstarted or cut short: another worker may have it now."""

    delay: float = 0.0


Settlement: TypeAlias = Ack | Park | DeadLetter | HandBack

ACK = Ack()


def decide(
    outcome: Outcome, attempt: int, policy: RetryPolicy, *, now: datetime, draw: float
) -> Settlement:
    """What is done about a run. Pure: ``now`` is the server's time, ``draw`` the random number.

    ``attempt`` is the number of this run, 1-based. A snooze does not count its run.
    """
    match outcome:
        case Done():
            return ACK
        case Duplicate():
            return Ack(duplicate=True)
        case Invalid(cause):
            return DeadLetter("invalid", attempt, cause)
        case Reject():
            return DeadLetter("rejected", attempt, outcome.__cause__ or outcome)
        case Snooze():
            return Park(outcome.delay(now), attempt - 1)
        case Retry():
            return _again(outcome, attempt, policy, draw)


def _again(retry: Retry, attempt: int, policy: RetryPolicy, draw: float) -> Settlement:
    cause = retry.__cause__ or retry
    delay = policy.delay(attempt)
    if delay is None:
        return DeadLetter("exhausted", attempt, cause)
    if retry.after is not None:
        return Park(retry.after, attempt, cause)
    return Park(policy.spread(delay, draw), attempt, cause)
