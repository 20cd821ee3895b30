"""What time it is for the server."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta

from glam_shared.logging import ServiceLogger

_SKEW = 1.0
"""Seconds by which the clocks may differ without a word."""
_DRIFT = 1e-4
"""Seconds by which two clocks may part in one second."""


class ServerClock:
    """Tells the server's time from the moments its answers name.

    Between answers it runs by the monotonic clock, so that a step of our own clock moves nothing.
    The quickest answer of late is believed: a slow one may be off by half of what it took.
    """

    def __init__(self, log: logging.Logger | ServiceLogger) -> None:
        self._log = log
        self._told: tuple[datetime, float] | None = None
        self._error = 0.0
        """Seconds by which the moment told may be wrong."""
        self._said = False

    @property
    def is_set(self) -> bool:
        """Whether an answer has named a moment."""
        return self._told is not None

    def now(self) -> datetime:
        """The server's time; ours until the first answer that names a moment."""
        if self._told is None:
            return own_time()
        moment, heard = self._told
        return moment + timedelta(seconds=time.monotonic() - heard)

    @property
    def offset(self) -> float:
        """Seconds that the server's clock is ahead of ours; 0 until the first such answer."""
        return 0.0 if self._told is None else (self.now() - own_time()).total_seconds()

    def hear(self, text: object, asked: float) -> None:
        """An answer to what was *asked* at that monotonic time names the moment *text*.

        It is taken to be that of the middle between question and answer.
        """
        moment = read_moment(text)
        if moment is None:
            return
        now = time.monotonic()
        error = (now - asked) / 2
        middle = moment + timedelta(seconds=error)
        if self._told is None or self._is_better(middle, error, now - self._told[1]):
            self._told, self._error = (middle, now), error
            self._say_skew()

    def _is_better(self, moment: datetime, error: float, age: float) -> bool:
        """Whether it is surer than what is known for ``age`` seconds, or contradicts it."""
        known = self._error + age * _DRIFT
        apart = abs((moment - self.now()).total_seconds())
        return error <= known or apart > error + known

    def _say_skew(self) -> None:
        skewed = abs(self.offset) > _SKEW
        if skewed and not self._said:
            self._log.warning(
                "The server's clock is %+.1f s from this machine's: set one of them right. "
                "Delays are kept by the server's.",
                self.offset,
            )
        self._said = skewed


def own_time() -> datetime:
    """What time it is for this machine."""
    return datetime.now(UTC)


def read_moment(text: object) -> datetime | None:
    """A moment as the server writes it, with nanoseconds; None for anything else."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
