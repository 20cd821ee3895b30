"""Events that were handed out as no durable of ours does: it was changed by others."""

from __future__ import annotations

from glam_worker.declare.outcomes import Reject
from glam_worker.declare.retry import HandBack
from glam_worker.runtime.protocols import Delivery


class Strays:
    """What becomes of events that the declared subject does not match, or that lack their body.

    None is run, and none is lost. One that comes for the first time says that the durable was
    changed: it is handed back, and the server is to be looked at. One that comes again although
    the durable is as declared was handed out before that was so: it would come for ever, and is
    rejected.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        """What came and was not explained by a look at the server yet."""
        self._as_declared = False

    def looked(self, *, as_declared: bool) -> None:
        """The server was looked at: whether the handler's durables are as they must be."""
        self._as_declared = as_declared
        if as_declared:
            self.problem = None

    def met(self, delivery: Delivery, ack_wait: float) -> HandBack | Reject:
        """What is done with one; ``ack_wait`` is in seconds."""
        lacks = delivery.bodiless
        if self._as_declared and not delivery.first:
            what = "it came without its body" if lacks else "its subject is not declared"
            return Reject(f"{what}: it was handed out before the durable was as declared")
        which = "without its body" if lacks else "that it did not declare"
        self.problem = f"an event of {delivery.subject} {which}"
        return HandBack(ack_wait)
