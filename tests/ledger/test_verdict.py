"""The rules of suspects, as a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from glam_worker.declare.retry import ACK, DeadLetter, HandBack, Park
from glam_worker.runtime.failures import Failure
from glam_worker.runtime.ledger import NOTHING, Owed, Record, Start
from glam_worker.runtime.verdict import Verdict, WorkerCrashed, judge

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BESIDE = Start("a", alone=False)


def starts(beside: int, alone: int) -> Record:
    """A record of runs that never ended."""
    made = [Start(f"b{number}", alone=False) for number in range(beside)]
    return Record(starts=(*made, *(Start(f"a{number}", alone=True) for number in range(alone))))


@pytest.mark.parametrize(
    ("record", "counted", "verdict"),
    [
        (NOTHING, 0, Verdict(0)),
        (NOTHING, 2, Verdict(2)),
        (starts(1, 0), 0, Verdict(0, alone=True)),
        (starts(4, 0), 2, Verdict(2, alone=True)),
        (starts(1, 1), 0, Verdict(1, alone=True)),
        (starts(1, 2), 0, Verdict(2, alone=True)),
        (starts(0, 1), 1, Verdict(2, alone=True)),
        (Record(attempts=2), 0, Verdict(2)),
        (Record(attempts=1, starts=(BESIDE,)), 0, Verdict(1, alone=True)),
        (Record(attempts=1, due=NOW - timedelta(seconds=9)), 0, Verdict(1)),
    ],
)
def test_without_unfinished_runs_beside_then_alone(
    record: Record, counted: int, verdict: Verdict
) -> None:
    """Beside others without an unfinished run, else alone; only runs alone count as attempts."""
    assert judge(record, counted, 3, NOW, parked=False) == verdict


@pytest.mark.parametrize(
    ("record", "counted", "attempts"),
    [(starts(1, 3), 0, 4), (starts(0, 3), 0, 3), (starts(1, 1), 2, 4), (starts(2, 5), 0, 7)],
)
def test_attempts_spent_by_runs_alone_are_crashed(
    record: Record, counted: int, attempts: int
) -> None:
    """At the policy's attempts it is a dead letter; every start in the ledger is told."""
    settlement = judge(record, counted, 3, NOW, parked=False).settlement

    assert isinstance(settlement, DeadLetter)
    assert (settlement.reason, settlement.attempts) == ("crashed", attempts)
    assert isinstance(settlement.cause, WorkerCrashed)


def test_runs_beside_others_never_kill_an_event() -> None:
    """Whatever died beside it: an event that never ran alone is not dead-lettered."""
    assert judge(starts(50, 0), 0, 1, NOW, parked=False).settlement is None


def test_one_that_is_parked_is_acked() -> None:
    """Its own parked copy is what runs; whatever else is known does not matter."""
    assert judge(starts(1, 9), 0, 3, NOW, parked=True).settlement is ACK


def test_a_refused_letter_is_written_again_with_its_error() -> None:
    """Reason, attempts and the error's name, message and trace outlive the process."""
    record = Record(owed=Owed("rejected", 2, Failure("KeyError", "'x'", "Traceback ...")))

    settlement = judge(record, 0, 3, NOW, parked=False).settlement

    assert isinstance(settlement, DeadLetter)
    assert (settlement.reason, settlement.attempts) == ("rejected", 2)
    assert settlement.cause is not None
    assert Failure.of(settlement.cause) == Failure("KeyError", "'x'", "Traceback ...")


@pytest.mark.parametrize(("ahead", "delay"), [(60.0, 60.0), (-60.0, 0.0)])
def test_a_refused_park_keeps_its_time(ahead: float, delay: float) -> None:
    """It is parked for what is left of its delay."""
    record = Record(owed=Owed(None, 1), due=NOW + timedelta(seconds=ahead))

    assert judge(record, 0, 3, NOW, parked=False).settlement == Park(delay, 1)


def test_what_could_not_be_parked_does_not_run_early() -> None:
    """One that comes again before its time is handed back for the rest of it."""
    record = Record(attempts=1, due=NOW + timedelta(seconds=7))

    assert judge(record, 0, 3, NOW, parked=False).settlement == HandBack(7.0)
