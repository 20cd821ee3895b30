"""One of the N places for children: there is a child in it, or there is soon."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

from glam_worker.supervisor.backoff import Backoff
from glam_worker.supervisor.child import Child, manner_of, signal_name
from glam_worker.supervisor.patience import LOOK_EVERY, STARTING_LOOK_EVERY, Patience

State: TypeAlias = Literal["starting", "running", "restarting", "stopping"]

METRICS_EVERY = 5
"""Looks from one to the next that brings metrics too: what a killed child counted after its last
is not in the sums."""

_log = logging.getLogger("glam_worker.supervisor")


class Place:
    """Starts a child, watches it, replaces it when it is dead; for ever.

    ``spawn`` starts a child. ``gone`` is told of each that ended; True from it means that
    nothing more is to be started.
    """

    def __init__(
        self,
        number: int,
        service: str,
        spawn: Callable[[], Awaitable[Child]],
        gone: Callable[[Place, Child], bool],
    ) -> None:
        self.number = number
        self.child: Child | None = None
        self.state: State = "starting"
        self._fields: dict[str, Any] = {"service": service, "child": number}
        self._spawn = spawn
        self._gone = gone
        self._backoff = Backoff()
        self._trouble = "waits for the first to start"

    @property
    def name(self) -> str:
        """What logs and readiness call it."""
        pid = f" (pid {self.child.pid})" if self.child else ""
        return f"process {self.number}{pid}"

    def reasons(self) -> list[str]:
        """Why it works no events, or not all of them; empty when it does."""
        return [f"{self.name}: {trouble}" for trouble in self._troubles()]

    def _troubles(self) -> list[str]:
        child = self.child
        if child is None or self.state != "running":
            return [self._trouble]
        answer = child.answer
        return ["does not answer"] if answer is None else answer.not_ready

    async def keep(self, started: Callable[[], None]) -> None:
        """Keep a child alive until ``gone`` ends it; ``started`` is called once one works."""
        while True:
            delay = await self._one(started)
            if delay is None:
                return
            self.state = "restarting"
            await asyncio.sleep(delay)

    async def _one(self, started: Callable[[], None]) -> float | None:
        """One child's life; the seconds until the next one's, None if there is to be none."""
        self.state, self._trouble = "starting", "starts"
        try:
            child = self.child = await self._spawn()
        except OSError as error:
            return self._not_spawned(error)
        self._say(logging.INFO, "started")
        code = await self._life(child, started)
        over = self._gone(self, child)
        delay = self._backoff.after(child.lived)
        self._died(code, None if over else delay)
        return None if over else delay

    async def _life(self, child: Child, started: Callable[[], None]) -> int:
        """From birth to death, which may be by our hand; the exit code."""
        ended = asyncio.ensure_future(child.ended())
        watched = asyncio.ensure_future(self._watch(child, started))
        try:
            await asyncio.wait([ended, watched], return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                self._say(logging.ERROR, f"is killed as hung: {watched.result()}")
                child.kill()
            return await ended
        finally:
            watched.cancel()
            ended.cancel()

    async def _watch(self, child: Child, started: Callable[[], None]) -> str:
        """Look at the child again and again; once it is to be replaced, why."""
        patience, looks = Patience(), 0
        while True:
            looks += 1
            pause = asyncio.sleep(LOOK_EVERY if patience.started else STARTING_LOOK_EVERY)
            question = child.ask("state" if looks % METRICS_EVERY else "metrics", LOOK_EVERY)
            answer, _ = await asyncio.gather(question, pause)
            lost = patience.lost(answer)
            if lost is not None:
                return lost
            if answer is not None and answer.started:
                self.state = "running"
                started()

    def _not_spawned(self, error: OSError) -> float:
        delay = self._backoff.after(0.0)
        self._trouble = f"could not be started: {error}"
        text = f"{self._trouble}; tried again in {delay:.3g} s"
        self._say(logging.ERROR, text)
        return delay

    def _died(self, code: int, delay: float | None) -> None:
        self._trouble = manner_of(code)
        ending = {"exit_code": code} if code >= 0 else {"signal": signal_name(-code)}
        if delay is None:
            self._say(logging.ERROR, f"{self._trouble}; it is not replaced", **ending)
        else:
            text = f"{self._trouble}; it is replaced in {delay:.3g} s"
            self._say(logging.WARNING, text, **ending)
        self.child = None

    def _say(self, level: int, text: str, **fields: Any) -> None:
        known = self._fields | ({"pid": self.child.pid} if self.child else {})
        _log.log(level, "%s %s", self.name, text, extra=known | fields)
