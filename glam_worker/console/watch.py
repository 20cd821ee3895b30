"""Looks at the server again and again while the console is open."""

from __future__ import annotations

import asyncio
import logging

from glam_shared.errors import InfrastructureError
from glam_worker.console.latencies import Latencies
from glam_worker.console.samples import PERIOD, Samples
from glam_worker.errors import NotThereError
from glam_worker.operate.status import Status, Statuses

_log = logging.getLogger("glam_worker.console")


class Watch:
    """The newest look at the server, and the samples of the last hour."""

    def __init__(self, statuses: Statuses, latencies: Latencies) -> None:
        self.samples = Samples()
        self.status: Status | None = None
        """None until the first look."""
        self.problem: str | None = "the server was not looked at yet"
        """Why the newest look is old; None when it is not."""
        self._statuses = statuses
        self._latencies = latencies

    async def run(self) -> None:
        """Look every few seconds, until cancelled; trouble is shown, and ends nothing."""
        while True:
            await self.look()
            await asyncio.sleep(PERIOD)

    async def look(self) -> None:
        """Look once."""
        try:
            status, took = await asyncio.gather(self._statuses.look(), self._latencies.look())
        except (InfrastructureError, NotThereError) as error:
            if self.problem is None:
                _log.warning("cannot look at the server: %s", error)
            self.problem = str(error)
            return
        self.samples.add(status, took)
        self.status, self.problem = status, None
