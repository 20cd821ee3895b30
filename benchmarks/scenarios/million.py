"""Whether memory depends on what waits or on what was handled."""

from __future__ import annotations

from benchmarks.drained import facts
from benchmarks.figures import MIB, rates
from benchmarks.job import Job
from benchmarks.scenario import COST, PEAK, RATE, Case, Measured, Metric, Scenario


async def run(contender: str, job: Job) -> Measured:
    """Resident memory is noted at the first event, on the way and at the last."""
    results = await facts(contender, job)
    resident = [mark[3] / MIB for mark in results[0]["marks"]]
    return {**rates(results), "first_mib": resident[0], "last_mib": resident[-1]}


SCENARIO = Scenario(
    name="million",
    title="A handler that does nothing; a backlog of 1,000,000 events beside one of 50,000",
    cases=(
        Case("50,000 waiting", Job(events=50_000, record_memory=True)),
        Case("1,000,000 waiting", Job(events=1_000_000, record_memory=True)),
    ),
    contenders=("bare_inbox", "fetch_loop", "faststream:16", "glam_worker"),
    run=run,
    metrics=(
        Metric("seconds", "seconds", digits=1),
        RATE,
        COST,
        Metric("first_mib", "at first MiB", digits=1, compared=False),
        Metric("last_mib", "at last MiB", digits=1, compared=False),
        PEAK,
    ),
    rounds=1,
)
