"""Why a connection is not usable, and what of it is said."""

from __future__ import annotations

import logging
import time

from glam_shared.logging import ServiceLogger
from glam_shared.messaging.broker_errors import PermissionDenied
from glam_shared.messaging.connect_causes import Cause
from glam_shared.messaging.denials import Said

_TELLING_FOR = 10.0
"""Seconds for which a cause says more than that the connection broke: attempts alternate."""
_MOST = 100
"""Causes that are remembered: one with a new text each time must not fill the memory."""


class Troubles:
    """What is wrong with one connection.

    * `problem` is the present cause; None while it is usable.
    * Each cause is written once while it is away, however many attempts end with it in turns.
    * Each denial is written once a minute.
    """

    def __init__(self, log: logging.Logger | ServiceLogger) -> None:
        self._log = log
        self.problem: str | None = "not connected yet"
        self._said: set[str] = set()
        self._told_at = -_TELLING_FOR
        self._denials = Said()

    def over(self) -> None:
        """It is usable."""
        self.problem = None
        self._said.clear()
        self._told_at = -_TELLING_FOR

    def say(self, why: str) -> None:
        """It is not usable, because of this."""
        known = why in self._said or why == self.problem
        self.problem = why
        if known:
            return
        if len(self._said) >= _MOST:
            self._said.clear()
        self._said.add(why)
        self._log.warning("NATS connection: %s", why)

    def failed(self, cause: Cause) -> None:
        """An attempt to bring it back ended so."""
        now = time.monotonic()
        if cause.vague and now - self._told_at < _TELLING_FOR:
            return
        if not cause.vague:
            self._told_at = now
        self.say(f"cannot reconnect: {cause.text}")

    def denied(self, denied: PermissionDenied) -> None:
        """The server denied this, over a connection that is usable."""
        if self._denials.is_new(denied, time.monotonic()):
            self._log.warning("%s", denied)
