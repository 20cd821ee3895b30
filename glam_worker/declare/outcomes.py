"""What a handler meant by the way it ended: a closed set of outcomes.

``Retry``, ``Snooze`` and ``Reject`` are raised by handlers, at any depth; ``Done`` is a handler
that returned. Every other exception is translated into one of them, once, by ``outcome_of``.
``Invalid`` and ``Duplicate`` are found before the handler is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Literal, TypeAlias

from glam_shared.errors import DomainError, InfrastructureError, RateLimitExceededError
from glam_shared.json_safe import json_text

Reason: TypeAlias = Literal["invalid", "rejected", "exhausted", "crashed"]


@dataclass(frozen=True, slots=True)
class Done:
    """The handler returned: the event is handled."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """The bytes could not be read as the handler's event; no handler was called."""

    cause: Exception


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An idempotent handler has handled the event before: there was nothing to do."""


class Retry(Exception):
    """Run this event again later; counts as an attempt.

    ``after`` is in seconds or a timedelta and is kept as given, without jitter.
    Default: the delay of the handler's retry policy.
    """

    after: float | None = None

    def __init__(self, after: float | timedelta | None = None, message: str = "") -> None:
        self.after = None if after is None else _seconds(after)
        super().__init__(message or "the handler asked for a retry")


class Snooze(Exception):
    """Run this event again later; costs no attempt.

    Exactly one of ``after`` (seconds or timedelta) and ``until`` (aware datetime).
    Raises ValueError for neither, both, or a naive ``until``.
    """

    after: float | None = None
    until: datetime | None = None

    def __init__(
        self, after: float | timedelta | None = None, *, until: datetime | None = None
    ) -> None:
        if (after is None) == (until is None):
            raise ValueError("Snooze takes exactly one of after= and until=")
        if until is not None and until.tzinfo is None:
            raise ValueError(f"Snooze(until={until!r}) has no time zone; use datetime.now(UTC)")
        self.after = None if after is None else _seconds(after)
        self.until = until
        super().__init__(f"snoozed until {until}" if until else f"snoozed for {self.after:g} s")

    def delay(self, now: datetime) -> float:
        """Seconds from ``now`` on, never below zero."""
        if self.until is not None:
            return max(0.0, (self.until - now.astimezone(UTC)).total_seconds())
        return self.after or 0.0


class Reject(Exception):
    """This event can never succeed: straight to the dead letters, with ``reason``."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


Outcome: TypeAlias = Done | Duplicate | Invalid | Retry | Snooze | Reject

DONE = Done()


def _seconds(value: float | timedelta) -> float:
    if not isinstance(value, int | float | timedelta):
        raise ValueError(  # noqa: TRY004 - as every other wrong delay
            f"a delay is seconds or a timedelta; found {value!r} (a reason is given as message=)"
        )
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if not 0.0 <= seconds < float("inf"):
        raise ValueError(f"a delay is a number of seconds from 0 on; found {value!r}")
    return seconds


def outcome_of(
    error: Exception,
    fatal: tuple[type[Exception], ...] = (),
    retry_on: tuple[type[Exception], ...] = (),
) -> Outcome:
    """The outcome an exception stands for: ``fatal`` first, then ``retry_on``, then the default.

    The error itself becomes ``__cause__`` of the outcome, where dead letters find it.
    """
    if isinstance(error, Reject):
        return error
    if isinstance(error, Retry | Snooze):
        return _checked(error)
    if isinstance(error, fatal):
        return _because(error, Reject(_text(error)))
    if isinstance(error, retry_on):
        return _because(error, Retry())
    return _because(error, _default(error))


def _checked(asked: Retry | Snooze) -> Retry | Snooze:
    """The same, unless its delay is none: a subclass may have set what it liked, or nothing."""
    try:
        if isinstance(asked, Snooze):
            asked.after = Snooze(asked.after, until=asked.until).after
        else:
            asked.after = Retry(asked.after).after
    except Exception as wrong:  # noqa: BLE001 - whatever was set may raise whatever it likes
        retry = Retry()
        retry.__cause__ = TypeError(f"{type(asked).__name__} asks for no possible delay: {wrong}")
        return retry
    return asked


def _default(error: Exception) -> Retry | Reject:
    match error:
        case RateLimitExceededError(retry_after=float() | int() as after) if 0 <= after < inf:
            return Retry(after)
        case RateLimitExceededError():
            return Retry()
        case DomainError():
            return Reject(_text(error))
        case InfrastructureError(retryable=False):
            return Reject(_text(error))
    return Retry()


def _because(error: Exception, outcome: Retry | Reject) -> Retry | Reject:
    outcome.__cause__ = error
    return outcome


def _text(error: Exception) -> str:
    return json_text(error) or type(error).__name__
