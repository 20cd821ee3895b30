"""What the journal and the streams say after a chaos run: the invariants, event by event."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from glam_worker.testing.streams import StoredMessage
from tests.chaos.events import MARK, Planned
from tests.chaos.nemesis import Fault
from tests.faults.journal import Run

BEFORE = 2.0
"""Seconds before a server's fault of which it may forget what it was told."""
AFTER = 1.0
"""Seconds after all was well again in which what was held arrives."""
REPLAYED_WITHIN = 30.0
"""Seconds after all was well in which what was settled before a durable was deleted runs again."""


@dataclass(slots=True)
class Verdict:
    """What was found."""

    lost: list[int] = field(default_factory=list)
    wrong_letters: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    extra_runs: int = 0
    extra_by_fault: Counter[str] = field(default_factory=Counter)
    double: int = 0
    """Letters of events that have one already."""
    crashed: int = 0
    """Letters with the reason ``crashed``: of events that were in hand at several kills."""
    runs: int = 0

    @property
    def problems(self) -> list[str]:
        """What must not be."""
        lost = [f"event {number} is lost" for number in self.lost]
        return lost + self.wrong_letters + self.unexplained


def judged(
    events: dict[int, Planned],
    acknowledged: Iterable[int],
    runs: Sequence[Run],
    letters: Sequence[StoredMessage],
    faults: Sequence[Fault],
) -> Verdict:
    """Compare what was published with what became of it."""
    verdict = Verdict(runs=len(runs))
    by_event: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        by_event[run.start.job].append(run)
    explained = _Explained(faults)
    extra: Counter[int] = Counter()
    for number, of_event in by_event.items():
        for run, why in explained.extra(of_event):
            extra[number] += 1
            verdict.extra_runs += 1
            verdict.extra_by_fault[why or "nothing"] += 1
            if why is None:
                verdict.unexplained.append(f"nothing explains {run}, after {of_event}")
    reasons = _reasons(verdict, events, letters, extra)
    for number in acknowledged:
        done = any(run.end is not None and run.end.what == "ok" for run in by_event[number])
        if not (done or reasons[number]):
            verdict.lost.append(number)
    return verdict


def _reasons(
    verdict: Verdict,
    events: dict[int, Planned],
    letters: Sequence[StoredMessage],
    extra: Counter[int],
) -> dict[int, list[str]]:
    """The reasons of each event's letters; what is wrong with them is noted."""
    reasons: dict[int, list[str]] = defaultdict(list)
    for letter in letters:
        event = events[int(letter.headers.get(MARK, -1))]
        reason = letter.headers["Glam-Reason"]
        reasons[event.number].append(reason)
        if letter.body != event.body:
            verdict.wrong_letters.append(f"the letter of {event} has another body")
        if reason == "crashed":
            verdict.crashed += 1
        elif reason != event.comes_to:
            verdict.wrong_letters.append(f"{event} has a letter: {reason}")
    for number, found in reasons.items():
        verdict.double += len(found) - 1
        if len(found) > 1 + extra[number]:
            verdict.wrong_letters.append(f"{events[number]} has {len(found)} letters")
    return reasons


class _Explained:
    """Finds the fault that a run which should not have been is due to."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = faults

    def extra(self, runs: Sequence[Run]) -> Iterator[tuple[Run, str | None]]:
        """Runs of an attempt that was run before, and why; a snooze repeats its attempt.

        Any of the runs before may be the one whose end the server was not told, or this one may
        have been on its way for long.
        What follows from an extra run, later attempts of its own, has the same cause.
        """
        inherited: str | None = None
        before: dict[int, list[Run]] = defaultdict(list)
        for run in runs:
            earlier = before[run.start.attempt]
            snoozed = bool(earlier) and _snoozed(earlier[-1])
            earlier.append(run)
            if len(earlier) == 1 or snoozed:
                continue
            touched = (self._touched(one, run.start.at) for one in earlier)
            why = next(filter(None, touched), None) or inherited
            inherited = inherited or why
            yield run, why

    def _touched(self, run: Run, again: float) -> str | None:
        """The fault that the run, its delivery or its settlement met with."""
        end = run.end.at if run.end is not None else float("inf")
        for fault in self._faults:
            touches = not fault.pids or run.start.pid in fault.pids
            met = run.start.at <= fault.end + AFTER and end >= fault.start - BEFORE
            replayed = 0 < again - fault.start < fault.end - fault.start + REPLAYED_WITHIN
            if replayed and end >= fault.start - fault.replays and fault.replays:
                return fault.kind
            if touches and met:
                return fault.kind
        return None


def _snoozed(run: Run) -> bool:
    return run.end is not None and run.end.what == "Snooze"
