"""What the marks of a contender's processes come to."""

from __future__ import annotations

from benchmarks.probe import Mark
from benchmarks.rig import Fact

MIB = 2**20


def rates(results: list[Fact]) -> dict[str, float]:
    """Events a second and processor time for each, while all processes were at work."""
    histories: list[list[Mark]] = [fact["marks"] for fact in results if fact["marks"]]
    begin = max(history[0][0] for history in histories)
    end = min(history[-1][0] for history in histories)
    seconds = (end - begin) / 1e9
    pairs = [(_at(history, begin), _at(history, end)) for history in histories]
    events = sum(last[2] - first[2] for first, last in pairs)
    cpu = sum(last[1] - first[1] for first, last in pairs)
    return {
        "events_per_second": events / seconds,
        "cpu_us_per_event": cpu / events / 1e3,
        "seconds": seconds,
        "peak_mib": sum(fact["peak"] for fact in results) / MIB,
    }


def _at(history: list[Mark], clock: int) -> tuple[float, float, float]:
    """Clock, processor time and events at an instant, between the two marks around it."""
    before = max((m for m in history if m[0] <= clock), key=lambda m: m[0])
    after = min((m for m in history if m[0] >= clock), key=lambda m: m[0])
    span = after[0] - before[0]
    part = (clock - before[0]) / span if span else 0.0
    return (
        clock,
        before[1] + part * (after[1] - before[1]),
        before[2] + part * (after[2] - before[2]),
    )
