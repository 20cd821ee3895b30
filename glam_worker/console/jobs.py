"""Replays and drops that go on while the page shows how far they came."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from glam_worker.operate.working_off import Progress

_log = logging.getLogger("glam_worker.console.audit")
_KEPT = 100


@dataclass(slots=True)
class Job:
    """One thing that somebody asked for."""

    number: int
    what: str
    who: str
    """The address it was asked from."""
    progress: Progress = field(default_factory=Progress)
    state: str = "running"
    """``running``, ``done`` or ``failed``."""
    error: str = ""

    def described(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.number,
            "what": self.what,
            "state": self.state,
            "done": self.progress.done,
            "gone": self.progress.gone,
            "refused": self.progress.refused,
            "refusals": [str(refusal) for refusal in self.progress.refusals],
            "error": self.error,
        }


class Jobs:
    """Runs what was asked for, and writes the audit lines: one at its start, one at its end."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._jobs: dict[int, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, what: str, who: str, work: Callable[[Progress], Awaitable[None]]) -> Job:
        """Begin it; the job tells how far it is."""
        job = Job(next(self._numbers), what, who)
        self._jobs[job.number] = job
        for old in list(self._jobs)[:-_KEPT]:
            del self._jobs[old]
        self.audit(what, who)
        task = asyncio.create_task(self._run(job, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    @staticmethod
    def audit(what: str, who: str) -> None:
        """Write down what is asked for, and from where."""
        _log.warning("%s: asked for from %s", what, who, extra={"action": what, "client": who})

    def get(self, number: int) -> Job | None:
        """A job of the last hundred."""
        return self._jobs.get(number)

    async def stop(self) -> None:
        """End what still runs: replays can be repeated, a drop that was begun goes no further."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, job: Job, work: Callable[[Progress], Awaitable[None]]) -> None:
        try:
            await work(job.progress)
            job.state = "done"
        except Exception as error:  # noqa: BLE001 - it is told to whoever asked, and logged
            job.state, job.error = "failed", str(error)
        finally:
            told = job.described()
            _log.warning(
                "%s: %s, %d done, %d gone, %d refused",
                job.what,
                job.state,
                job.progress.done,
                job.progress.gone,
                job.progress.refused,
                extra={"action": job.what, "client": job.who, "result": told},
            )
