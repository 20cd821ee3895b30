"""What it costs to remember each event."""

from __future__ import annotations

from benchmarks.drained import drained
from benchmarks.job import Job
from benchmarks.scenario import Case, Scenario

SCENARIO = Scenario(
    name="idempotent",
    title="A handler that does nothing, with and without idempotent=True",
    cases=(
        Case("not idempotent", Job(events=10_000)),
        Case("idempotent", Job(events=10_000, idempotent=True)),
    ),
    contenders=("glam_worker",),
    run=drained,
    baseline="glam_worker",
)
