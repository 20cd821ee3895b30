"""`make bench-guard`: does an event of scenario `noop` cost more than it did?

The cost is a ratio: instructions of the worker to those of the bare inbox, which does nothing but
acknowledge, in the same run. So neither the machine nor a busy hour on it decides.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.callgrind import callgrind, counted
from benchmarks.job import Job
from benchmarks.rig import BenchError, rig

WORKER, BARE = "glam_worker", "bare_inbox"
RECORDED = Path(__file__).with_name("guard.json")
WORSE_BY = 0.15
"""What the cost may grow by before the guard fails."""
_EVENTS = 2_000
_WARM_UP = 500


async def guard(*, record: bool) -> int:
    """Measure, print and judge, or record; the exit code."""
    try:
        costs = {name: await instructions_per_event(name) for name in (BARE, WORKER)}
    except (BenchError, FileNotFoundError) as error:
        print(f"bench-guard: {error}", file=sys.stderr)
        return 2
    ratio = costs[WORKER] / costs[BARE]
    for name, cost in costs.items():
        print(f"{name:12} {cost:10,.0f} instructions per event")
    if record:
        RECORDED.write_text(json.dumps({"ratio": round(ratio, 2)}) + "\n")
        print(f"recorded in {RECORDED.name}: {ratio:.2f} times the bare inbox")
        return 0
    return verdict(ratio, recorded=recorded())


def recorded() -> float:
    """The cost that was recorded, as a ratio to the bare inbox's."""
    ratio: float = json.loads(RECORDED.read_text())["ratio"]
    return ratio


def verdict(ratio: float, *, recorded: float) -> int:
    """Say how the cost compares; 1 if it has grown too much."""
    most = recorded * (1 + WORSE_BY)
    print(f"{ratio:.2f} times the bare inbox; recorded {recorded:.2f}, at most {most:.2f}")
    if ratio <= most:
        return 0
    print(
        f"An event costs {ratio / recorded - 1:.0%} more than recorded. Find what a change added "
        "on its way, or record the new cost with `python -m benchmarks --record` and say why."
    )
    return 1


async def instructions_per_event(contender: str) -> float:
    """Instructions for each event. Raises BenchError for an event that is handled twice."""
    events = _WARM_UP + _EVENTS
    with tempfile.TemporaryDirectory(prefix="bench-guard-") as folder:
        file = Path(folder) / "counted"
        job = Job(events, warm_up=_WARM_UP, counted=True)
        async with rig(contender, job, stored=events, under=callgrind(file)) as bench:
            await bench.handled()
            (result,) = await bench.results()
        if result["ended"] != events:
            raise BenchError(f"{contender} handled {result['ended']} times {events} events")
        return counted(file) / _EVENTS
