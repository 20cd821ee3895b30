"""Idempotent handlers: an event that was handled is not handled again.

A claim is taken before the handler is called and marked done before the ack. Only *done*
justifies an ack without a run; a claim that never became done is taken over at its deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from glam_shared.errors import InfrastructureError
from glam_worker.declare.outcomes import Snooze
from glam_worker.runtime.protocols import Way, WayFacts
from glam_worker.runtime.run import Run

STORE_DELAY = 5.0
"""Seconds until an event is tried again whose claim could not be written."""

_REMEMBERED = 30.0
"""Seconds that a failure is told for: the event may have gone to another worker since."""
_TRIES = 20
"""Changes by others that a claim is tried again after."""


class AlreadyHandled(Exception):
    """The event was handled before; there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a key holds: whose run it is, until when, or that it is done."""

    carrier: str
    deadline: datetime | None
    """None: done."""


@dataclass(frozen=True, slots=True)
class Held:
    """A claim of ours, at a revision."""

    key: str
    revision: int


class ClaimStore(Protocol):
    """Claims by key, changed by compare-and-set. Raises InfrastructureError."""

    async def read(self, key: str) -> tuple[Claim, int] | None:
        """The claim and its revision."""

    async def create(self, key: str, claim: Claim) -> int | None:
        """The revision; None if there is a claim already."""

    async def replace(self, key: str, claim: Claim, revision: int) -> int | None:
        """The new revision; None if it is another by now."""

    async def give_up(self, key: str, revision: int) -> bool:
        """Forget the claim; False if it is another by now."""

    def now(self) -> datetime:
        """The server's time."""


class Claims:
    """Wraps the call of an idempotent handler.

    ``patience`` is how long a claim lasts, in seconds: the handler's timeout and its lease.
    """

    def __init__(self, store: ClaimStore, patience: float, facts: dict[Way, WayFacts]) -> None:
        self._problem: tuple[str, float] | None = None
        self._store = store
        self._patience = timedelta(seconds=patience)
        self._facts = facts

    @property
    def problem(self) -> str | None:
        """Why an event could not be claimed lately, and was not handled; from any thread."""
        problem = self._problem
        return problem[0] if problem and time.monotonic() - problem[1] < _REMEMBERED else None

    async def call(self, run: Run, handle: Callable[[], Awaitable[Any]]) -> None:
        """Handle the event unless it is handled, or being handled, already.

        Raises AlreadyHandled, Snooze until the other run's deadline, and what the handler raises.
        """
        run.phase = "claiming"
        held = await self._claim(run)
        run.phase = "called"
        try:
            await handle()
            if run.emission is not None:
                run.emission.check()  # a failed run leaves no *done* behind
        except BaseException:
            await self._give_up(held)
            raise
        if run.ignored_its_end:
            await self._give_up(held)
            return
        run.phase = "returned"
        try:
            await self._done(run, held)
        except InfrastructureError as error:  # nothing failed in the handler: no attempt is used
            raise self._later(run, error) from error

    async def _give_up(self, held: Held) -> None:
        with contextlib.suppress(InfrastructureError):  # it would hide what the run meant
            await self._store.give_up(held.key, held.revision)

    def _later(self, run: Run, error: BaseException) -> Snooze:
        """The event is tried again soon: that is said once, until a claim is written again."""
        if run.cut == "timeout":
            error = TimeoutError("no answer within the handler's timeout")
        if isinstance(error, Exception):
            if self.problem is None:
                self._facts[run.delivery.way].claims_away(run.delivery, error)
            text = f"events of handler {run.handler.name} cannot be claimed, and wait: {error}"
            self._problem = text, time.monotonic()
        return Snooze(STORE_DELAY)

    async def _claim(self, run: Run) -> Held:
        """Raises Snooze where that cannot be done now: no handler is called, no attempt used."""
        key, mine = claim_key(run, run.handler.name), self._claim_of(run)
        try:
            for name in run.handler.options.previously:
                former = await self._store.read(claim_key(run, name))
                if former is not None:
                    self._respect(former[0], mine)
            revision = await self._store.create(key, mine)
            tries = 1
            while revision is None:
                revision = await self._take_over(key, mine)
                tries = _another(tries, key)
        except (InfrastructureError, asyncio.CancelledError) as error:
            raise self._later(run, error) from error
        self._problem = None
        return Held(key, revision)

    async def _take_over(self, key: str, mine: Claim) -> int | None:
        """The revision of the claim taken over; None if it changed meanwhile."""
        found = await self._store.read(key)
        if found is None:
            return await self._store.create(key, mine)
        claim, revision = found
        self._respect(claim, mine)
        return await self._store.replace(key, mine, revision)

    def _respect(self, claim: Claim, mine: Claim) -> None:
        """Raise AlreadyHandled, or Snooze where another message of the event is being handled."""
        if claim.deadline is None:
            raise AlreadyHandled
        if claim.carrier != mine.carrier and claim.deadline > self._store.now():
            raise Snooze(until=claim.deadline)

    async def _done(self, run: Run, held: Held) -> None:
        done = Claim(run.delivery.carrier, None)
        revision, tries = held.revision, 1
        while await self._store.replace(held.key, done, revision) is None:
            found = await self._store.read(held.key)
            if found is None:
                if await self._store.create(held.key, done) is not None:
                    return
            elif found[0].deadline is None:
                return
            else:
                revision = found[1]
            tries = _another(tries, held.key)

    def _claim_of(self, run: Run) -> Claim:
        return Claim(run.delivery.carrier, self._store.now() + self._patience)


def _another(tries: int, key: str) -> int:
    """The number of the next try. Raises InfrastructureError where no try can succeed."""
    if tries == _TRIES:
        raise InfrastructureError(
            f"claim {key} is another each time that it is looked at: what is written does not come "
            "to the bucket that is read",
            service="claims",
        )
    return tries + 1


def claim_key(run: Run, handler: str) -> str:
    """One for each event and handler; a replay on purpose has one of its own.

    ``handler`` is the name it has, or had: what was handled under a former name is handled.
    """
    parts = (
        run.service,
        handler,
        run.subject,
        run.source_service,
        run.event_id,
        run.delivery.replay_id or "",
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
