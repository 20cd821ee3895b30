"""Idempotent handlers: an event that was handled is not handled again.

A claim is taken before the handler is called and marked done before the ack. Only *done*
justifies an ack without a run; a claim that never became done is taken over at its deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from glam_shared.errors import InfrastructureError
from glam_worker.declare.outcomes import Snooze
from glam_worker.runtime.run import Run

STORE_DELAY = 5.0
"""Seconds until an event is tried again whose claim could not be written."""


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

    def __init__(self, store: ClaimStore, patience: float) -> None:
        self._store = store
        self._patience = timedelta(seconds=patience)

    async def call(self, run: Run, handle: Callable[[], Awaitable[Any]]) -> None:
        """Handle the event unless it is handled, or being handled, already.

        Raises AlreadyHandled, Snooze until the other run's deadline, and what the handler raises.
        """
        held = await self._claim(run)
        try:
            await handle()
            if run.emission is not None:
                run.emission.check()  # a failed run leaves no *done* behind
        except BaseException:
            with contextlib.suppress(InfrastructureError):  # it would hide what the run meant
                await self._store.give_up(held.key, held.revision)
            raise
        try:
            await self._done(run, held)
        except InfrastructureError as error:  # nothing failed in the handler: no attempt is used
            raise Snooze(STORE_DELAY) from error

    async def _claim(self, run: Run) -> Held:
        """Raises Snooze where that cannot be done now: no handler is called, no attempt used."""
        key, mine = claim_key(run, run.handler.name), self._claim_of(run)
        try:
            for name in run.handler.options.previously:
                former = await self._store.read(claim_key(run, name))
                if former is not None:
                    self._respect(former[0], mine)
            revision = await self._store.create(key, mine)
            while revision is None:
                revision = await self._take_over(key, mine)
        except (InfrastructureError, asyncio.CancelledError) as error:
            raise Snooze(STORE_DELAY) from error
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
        revision = held.revision
        while await self._store.replace(held.key, done, revision) is None:
            found = await self._store.read(held.key)
            if found is None:
                if await self._store.create(held.key, done) is not None:
                    return
            elif found[0].deadline is None:
                return
            else:
                revision = found[1]

    def _claim_of(self, run: Run) -> Claim:
        return Claim(run.delivery.carrier, self._store.now() + self._patience)


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
