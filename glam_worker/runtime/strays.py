"""Events that were handed out as no durable of ours does: it was changed by others."""

from __future__ import annotations

from glam_worker.declare.outcomes import Reject
from glam_worker.declare.retry import HandBack
from glam_worker.runtime.protocols import Delivery

_MOST = 10_000
"""Events that are remembered; of more, some are handed back once more."""


class Strays:
    """What becomes of events that the declared subject does not match, or that lack their body.

    None is run, and none is lost. The first time that one comes, it says that the durable may have
    been changed: it is handed back, and the server is to be looked at. One that comes again after a
    look that found the durable as declared was handed out before that was so: it would come for
    ever, and is rejected.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        """What came and was not explained by a look at the server yet."""
        self._met: dict[str, None] = {}
        """Carriers that were handed back since the last look began."""
        self._asked: dict[str, None] = {}
        """Those of before, while the server is looked at."""
        self._explained: dict[str, None] = {}

    def look_begins(self) -> None:
        """The server is looked at: that may explain what came before, and nothing later."""
        self._asked, self._met = self._met, {}

    def looked(self, *, as_declared: bool) -> None:
        """What the look has found: whether the handler's durables are as they must be."""
        if not as_declared:
            self._explained.clear()
            return
        self._explained |= self._asked
        if not self._met:
            self.problem = None

    def met(self, delivery: Delivery, ack_wait: float) -> HandBack | Reject:
        """What is done with one; ``ack_wait`` is in seconds."""
        lacks = delivery.bodiless
        if delivery.carrier in self._explained:
            del self._explained[delivery.carrier]
            what = "it came without its body" if lacks else "its subject is not declared"
            return Reject(f"{what}: it was handed out before the durable was as declared")
        if len(self._met) < _MOST:
            self._met[delivery.carrier] = None
        which = "without its body" if lacks else "that it did not declare"
        self.problem = f"an event of {delivery.subject} {which}"
        return HandBack(ack_wait)
