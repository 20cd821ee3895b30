"""When a child counts as hung: a hung child is a dead child."""

from __future__ import annotations

from dataclasses import dataclass

from glam_worker.supervisor.channel import Answer

LOOK_EVERY = 1.0
"""Seconds from one look at a child to the next; an answer may take as long."""

STARTING_LOOK_EVERY = 0.1
"""Seconds between looks at a child that answers and has not started."""

SILENT_LOOKS = 10
"""Looks in a row without answer after which a child that had started is replaced: 10 s. Its
answers come from a thread, also while the event loop is blocked; what silences it is a stop
signal, or code that holds the interpreter's lock."""

STARTING_SILENT_LOOKS = 60
"""The same for one that has not started: 60 s, for imports that hold the interpreter's lock. One
that answers may take as long as it likes to start: a lifespan has no limit."""

UNHEALTHY_LOOKS = 3
"""Looks in a row that find it unhealthy, as ``/healthz`` has it, after which it is replaced."""


@dataclass(slots=True)
class Patience:
    """Counts bad looks at one child. Looks, not seconds: a parent that was itself stopped for a
    while blames no child for it."""

    started: bool = False
    _silent: int = 0
    _unhealthy: int = 0

    def lost(self, answer: Answer | None) -> str | None:
        """Why the child is to be replaced after this look; None while it is not."""
        if answer is None:
            return self._without_answer()
        self._silent = 0
        self.started = answer.started
        self._unhealthy = self._unhealthy + 1 if answer.unhealthy else 0
        return "; ".join(answer.unhealthy) if self._unhealthy >= UNHEALTHY_LOOKS else None

    def _without_answer(self) -> str | None:
        self._silent += 1
        limit = SILENT_LOOKS if self.started else STARTING_SILENT_LOOKS
        return (
            f"it gave no answer for {limit * LOOK_EVERY:.0f} s" if self._silent >= limit else None
        )
