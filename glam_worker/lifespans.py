"""The lifespans of a worker: entered one after the other, left in the opposite order."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AbstractAsyncContextManager
from typing import Any

from glam_worker.declare.lifespan import Lifespan

LEAST = 3.0
"""Seconds that leaving may take at least, though the grace period be used up."""

_EACH = 1.0
"""Seconds for each, though another has used up all of it."""

_log = logging.getLogger("glam_worker")


class Lifespans:
    """What is set up and taken down around the handlers' work."""

    def __init__(self) -> None:
        self.entering: Lifespan | None = None
        """The one that is being entered, or that raised when it was."""
        self.failed: Lifespan | None = None
        """The one that raised when it was left."""
        self._entered: list[tuple[Lifespan, AbstractAsyncContextManager[Any]]] = []

    async def enter(self, lifespan: Lifespan) -> Any:
        """What it yields."""
        self.entering = lifespan
        manager = lifespan.enter()
        state = await manager.__aenter__()
        self.entering = None
        self._entered.append((lifespan, manager))
        return state

    async def leave(self, deadline: float) -> None:
        """Leave all of them, by ``deadline`` (monotonic) or soon after.

        What takes too long is cancelled, and said. Raises what the first of them raised that
        did, once all are left.
        """
        deadline = max(deadline, time.monotonic() + LEAST)
        raised: BaseException | None = None
        while self._entered:
            lifespan, manager = self._entered.pop()
            try:
                await _left(lifespan, manager, max(deadline - time.monotonic(), _EACH))
            except BaseException as error:  # noqa: BLE001 - the others are left, too
                if raised is not None:
                    _log.exception("%s: the lifespan raised when it was left", lifespan.where)
                else:
                    raised, self.failed = error, lifespan
        if raised is not None:
            raise raised


async def _left(
    lifespan: Lifespan, manager: AbstractAsyncContextManager[Any], seconds: float
) -> None:
    try:
        async with asyncio.timeout(seconds) as limit:
            await manager.__aexit__(None, None, None)
    except TimeoutError:
        if not limit.expired():
            raise
        _log.warning(
            "%s: the lifespan was cancelled: it took longer than %.0f s to end after its yield",
            lifespan.where,
            seconds,
        )
