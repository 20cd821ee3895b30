"""Says what the streams of events dropped before it was handled."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from glam_shared.wording import counted
from glam_worker.assembly import HandlerWork
from glam_worker.runtime.protocols import Delivery
from glam_worker.topology.dropped import Position, begins, dropped_between
from glam_worker.topology.standing import Standing

_log = logging.getLogger("glam_worker.topology")


class Dropping:
    """Looks, whenever the durables are looked at, for events of one handler that its stream let go.

    * Those in hand are known one by one. Their runs go on, but nobody gets them if this worker
      dies or hands them back.
    * Of those that waited, the least number that must be gone.
    """

    def __init__(self, work: HandlerWork) -> None:
        self._work = work
        self._before: Position | None = None
        self._told: set[Delivery] = set()

    def look(self, standing: Standing) -> None:
        """Compare with the last look."""
        found = standing.consumer
        if found is None or standing.spec.way != "main":
            return
        first = begins(found.stream)
        now = Position.of(found.info)
        before, self._before = self._before, now
        if before is not None and first:
            self._tell("waiting", dropped_between(before, now), found.spec.stream, first)
        source = self._work.source("main")
        if source is not None and source.consumer.same(found.stream, found.info):
            gone = self._gone(first)
            self._tell("in_hand", len(gone - self._told), found.spec.stream, first)
            self._told = gone

    def _gone(self, first: int) -> set[Delivery]:
        held: Iterable[Delivery] = list(self._work.pipeline.held)
        return {one for one in held if one.way == "main" and one.sequence < first}

    def _tell(self, state: str, count: int, stream: str, first: int) -> None:
        if not count:
            return
        self._work.facts["main"].dropped(state, count)
        least = "at least " if state == "waiting" else ""
        what = "while they waited" if state == "waiting" else "that are in hand"
        _log.error(
            "handler %s: stream %s dropped %s%s %s, by its age or limits or a purge; it begins at "
            "sequence %d now",
            self._work.handler.name,
            stream,
            least,
            counted(count, "event"),
            what,
            first,
        )
