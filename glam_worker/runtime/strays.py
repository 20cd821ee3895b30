"""Events that the server handed out although the handler's subject does not match them."""

from __future__ import annotations

from glam_worker.declare.outcomes import Reject
from glam_worker.declare.retry import HandBack
from glam_worker.runtime.protocols import Delivery


class Strays:
    """What becomes of them: none is run, and none is lost.

    One that comes for the first time says that the durable was changed: it is handed back, and the
    server is to be looked at. One that comes again although the durable is as declared was handed
    out before its subjects were put right or narrowed: it would come for ever, and is rejected.
    """

    def __init__(self) -> None:
        self.subject: str | None = None
        """The subject of one that no look has explained yet."""
        self._as_declared = False

    def looked(self, *, as_declared: bool) -> None:
        """The server was looked at: whether the durable has the declared subjects."""
        self._as_declared = as_declared
        if as_declared:
            self.subject = None

    def met(self, delivery: Delivery, ack_wait: float) -> HandBack | Reject:
        """What is done with one; ``ack_wait`` is in seconds."""
        if self._as_declared and not delivery.first:
            return Reject(
                f"the handler does not declare {delivery.subject}: it was handed out before the "
                "durable had the declared subjects"
            )
        self.subject = delivery.subject
        return HandBack(ack_wait)
