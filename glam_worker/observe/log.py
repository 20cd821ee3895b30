"""Log lines about what happens to events. Payloads are not logged."""

from __future__ import annotations

import logging
from typing import Any

from glam_shared.errors import DomainError, RequestTimeoutError
from glam_shared.messaging.headers import one_line
from glam_shared.messaging.model_errors import error_text
from glam_shared.wording import counted
from glam_worker.declare.context import EventContext
from glam_worker.declare.handler import Handler
from glam_worker.declare.outcomes import Reject, Retry
from glam_worker.declare.retry import Ack, DeadLetter, HandBack, Park, Settlement
from glam_worker.runtime.protocols import Delivery, Took, Way, WayFacts

_log = logging.getLogger("glam_worker.events")


class WayLog(WayFacts):
    """Says what is not the normal course; an ack is said at DEBUG only."""

    def __init__(self, handler: Handler, way: Way) -> None:
        self._about = {"service": handler.service, "handler": handler.name, "way": way}
        end = "is cancelled" if handler.is_async else "goes on: a thread cannot be cancelled"
        self._overdue = f"runs longer than its timeout of {handler.options.timeout:g} s, {end}"
        self.says_all = _log.isEnabledFor(logging.DEBUG)
        """Whether acks are said, too."""

    def received(self, delivery: Delivery) -> None:
        """Not said."""

    def acked(self, delivery: Delivery, run: EventContext, started: float, ended: float) -> None:
        fields = self._fields(delivery, run)
        _log.debug("handled", extra=fields | {"seconds": round(ended - started, 6)})

    def settled(
        self,
        delivery: Delivery,
        run: EventContext | None,
        settlement: Settlement,
        took: Took | None,
    ) -> None:
        fields = self._fields(delivery, run)
        if took is not None:
            fields["seconds"] = round(took.ended - took.started, 6)
        match settlement:
            case DeadLetter(reason, attempts, cause):
                fields |= {"reason": reason} | _error(cause)
                text = f"dead letter: {reason} after {counted(attempts, 'attempt')}"
                _log.error(text, extra=fields, exc_info=_trace(run, cause))
            case Park(delay, cause=None):
                _log.info(f"snoozed for {delay:.3g} s", extra=fields | {"delay": delay})
            case Park(delay, cause=cause):
                fields |= {"delay": round(delay, 3)} | _error(cause)
                text = f"failed, runs again in {delay:.3g} s"
                _log.warning(text, extra=fields, exc_info=_trace(run, cause))
            case Ack(duplicate=True):
                _log.info("handled before: acked without a run", extra=fields)
            case HandBack():
                _log.info("handed back", extra=fields)
            case _:
                _log.debug("handled", extra=fields)

    def refused(self, delivery: Delivery, settlement: Settlement, error: Exception) -> None:
        kind = "dead letter" if isinstance(settlement, DeadLetter) else "retry"
        fields = self._fields(delivery, None) | _error(error)
        _log.error(f"the broker refused a {kind}; the event stays where it is", extra=fields)

    def renewed(self, count: int) -> None:
        """Not said."""

    def expired(self, delivery: Delivery) -> None:
        _log.warning(self._overdue, extra=self._fields(delivery, None))

    def lapsed(self, delivery: Delivery) -> None:
        fields = self._fields(delivery, None)
        _log.warning("dropped unstarted: another worker may have it by now", extra=fields)

    def outlasted(self, delivery: Delivery) -> None:
        text = "its lease ended while it runs: another worker may run it, too"
        _log.warning(text, extra=self._fields(delivery, None))

    def alone(self, delivery: Delivery, unfinished: int) -> None:
        runs = counted(unfinished, "run")
        text = f"{runs} of this event never ended; it runs alone in this process"
        _log.warning(text, extra=self._fields(delivery, None))

    def ledger_away(self, delivery: Delivery, error: Exception) -> None:
        fields = self._fields(delivery, None) | _error(error)
        _log.error("handed out before, and waits: the ledger does not answer", extra=fields)

    def claims_away(self, delivery: Delivery, error: Exception) -> None:
        fields = self._fields(delivery, None) | _error(error)
        _log.error("cannot be claimed, and is not handled: it is tried again", extra=fields)

    def _fields(self, delivery: Delivery, run: EventContext | None) -> dict[str, Any]:
        known = {} if run is None else _identity(run)
        return (
            self._about
            | known
            | {
                "subject": delivery.subject,
                "stream": delivery.stream,
                "sequence": delivery.sequence,
                "attempt": delivery.counted + 1,
            }
        )


def _identity(run: EventContext) -> dict[str, Any]:
    return {"event_id": run.event_id, "correlation_id": run.correlation_id}


def _error(cause: BaseException | None) -> dict[str, Any]:
    if cause is None:
        return {}
    return {"error": type(cause).__name__, "error_message": one_line(error_text(cause), 1024)}


def _trace(run: EventContext | None, cause: BaseException | None) -> BaseException | None:
    """The error whose traceback helps: not of what could not be read or was said on purpose."""
    said = isinstance(cause, Retry | Reject | DomainError | RequestTimeoutError)
    return None if run is None or said else cause
