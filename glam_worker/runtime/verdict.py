"""What is done about a suspect: pure rules.

It runs beside the others once. If that run never ended, the process died while it ran, by its
doing or by another's; from then on it runs alone, and the runs alone that never ended count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from glam_worker.declare.retry import ACK, DeadLetter, HandBack, Park, Settlement
from glam_worker.runtime.ledger import Owed, Record

EARLY = timedelta(seconds=0.5)
"""An event that comes so little before its time runs."""


class WorkerCrashed(Exception):
    """The processes that ran the event died, although it was all they ran."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a suspect goes on."""

    counted: int
    """Runs that count as attempts so far."""
    settlement: Settlement | None = None
    """What is done without a run; None: it runs."""
    alone: bool = False
    """Whether nothing may run beside it."""


def judge(record: Record, counted: int, attempts: int, now: datetime, *, parked: bool) -> Verdict:
    """The verdict on a carrier with this record; ``counted`` as its headers say.

    ``attempts`` is the retry policy's, ``now`` the server's time, ``parked`` whether the carrier's
    own parked copy still waits: then the worker died between the PubAck and the ack.
    """
    if parked:
        return Verdict(counted, ACK)
    counted = max(counted, record.attempts or 0)
    if record.owed is not None:
        return Verdict(max(0, record.owed.attempts - 1), _owed(record.owed, record.due, now))
    if record.due is not None and record.due - now > EARLY:
        return Verdict(counted, HandBack((record.due - now).total_seconds()))
    if record.alone and counted + record.alone >= attempts:
        return Verdict(counted + len(record.starts) - 1, _crashed(record, counted))
    return Verdict(counted + record.alone, alone=bool(record.starts))


def _owed(owed: Owed, due: datetime | None, now: datetime) -> Settlement:
    cause = None if owed.failure is None else owed.failure.recalled()
    if owed.reason is not None:
        return DeadLetter(owed.reason, owed.attempts, cause)
    delay = 0.0 if due is None else max(0.0, (due - now).total_seconds())
    return Park(delay, owed.attempts, cause)


def _crashed(record: Record, counted: int) -> DeadLetter:
    text = (
        f"{len(record.starts)} runs never ended, {record.alone} of them alone in their process: "
        "it died in them, or was killed"
    )
    return DeadLetter("crashed", counted + len(record.starts), WorkerCrashed(text))
