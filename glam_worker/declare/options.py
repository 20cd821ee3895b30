"""The options of a handler: frozen, checked when they are made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from glam_worker.declare.mistakes import Checks
from glam_worker.declare.retry import RetryPolicy
from glam_worker.errors import DeclarationError

Start: TypeAlias = Literal["all", "new"] | datetime
"""Where a new durable begins: all that the stream keeps, what comes from now on, or a time."""

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What services and handlers may be called: they become part of durables and subjects."""

DAY = 86_400.0
_MANY = 10**15


@dataclass(frozen=True, slots=True)
class HandlerOptions:
    """What a declaration may set beside subject, payload and name.

    Raises DeclarationError that names the option, what was found and what is allowed.
    """

    concurrency: int | None = None
    """Runs at the same time in one process. None: the setting ``GLAM_CONCURRENCY`` (16)."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    """How often and how soon a failed event runs again."""
    timeout: float = 30.0
    """Seconds one run may take. An ``async`` run is cancelled then, and retried."""
    ack_wait: float = 30.0
    """Seconds the server waits for a sign of life before another worker gets the event.

    A third of it is the interval of in-progress acks. Stored on the server: a change shows up in
    ``plan`` as an update, and until ``apply`` the worker runs with the server's value.
    """
    stream: str | None = None
    """The stream to consume from. None: the one that holds the subject."""
    start: Start = "all"
    """Where the durable begins when it is created; without effect on one that exists."""
    idempotent: bool | float = False
    """True, or the seconds for which a handled event is remembered (True: a day)."""
    previously: tuple[str, ...] = ()
    """Names this handler had before; ``apply`` moves their position and parked retries here."""

    def __post_init__(self) -> None:
        with Checks() as checks:
            with checks.one():
                object.__setattr__(self, "previously", _names(self.previously))
            for name, allowed in self._wrong():
                found = getattr(self, name)
                checks.wrong(f"{name}={found!r} is not allowed; {name} is {allowed}")

    def _wrong(self) -> Iterator[tuple[str, str]]:
        """The options with a wrong value, and what is allowed."""
        for name, ok, allowed in (
            ("concurrency", self.concurrency is None or _count(self.concurrency), "1 to 10000"),
            ("retry", isinstance(self.retry, RetryPolicy), "a RetryPolicy"),
            ("timeout", _seconds(self.timeout), "seconds above 0"),
            ("ack_wait", _seconds(self.ack_wait, 0.1), "seconds from 0.1 on"),
            ("stream", self.stream is None or NAME.fullmatch(str(self.stream)), "a stream's name"),
            ("start", _start(self.start), "'all', 'new' or a datetime with a time zone"),
            ("idempotent", _idempotent(self.idempotent), "True, False or seconds from 1 on"),
        ):
            if not ok:
                yield name, allowed

    @property
    def remembered_for(self) -> float | None:
        """Seconds an idempotent handler remembers an event; None when it is not idempotent."""
        if self.idempotent is False:
            return None
        return DAY if self.idempotent is True else float(self.idempotent)

    @property
    def worked_for(self) -> float:
        """Seconds from an event's first run to the end of its last, at most.

        Delays that a handler gives by hand are not counted.
        """
        return self.retry.all_delays + self.timeout * float(min(self.retry.attempts, _MANY))


def _names(found: Any) -> tuple[str, ...]:
    names: tuple[Any, ...] = (found,) if isinstance(found, str) else tuple(found)
    for name in names:
        if not (isinstance(name, str) and NAME.fullmatch(name)):
            raise DeclarationError(f"previously={found!r}: {name!r} cannot be a handler's name")
    return names


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10_000


def _seconds(value: object, low: float = 1e-3) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and low <= float(value) < 1e9  # type: ignore[arg-type]


def _start(value: object) -> bool:
    return value in ("all", "new") or (isinstance(value, datetime) and value.tzinfo is not None)


def _idempotent(value: object) -> bool:
    return isinstance(value, bool) or _seconds(value, 1.0)
