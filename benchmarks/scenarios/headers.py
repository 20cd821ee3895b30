"""What headers cost that nobody reads."""

from __future__ import annotations

from benchmarks.drained import drained
from benchmarks.job import Job
from benchmarks.scenario import CONSUMERS, Case, Scenario

SCENARIO = Scenario(
    name="headers",
    title="A handler that does nothing; Nats-Msg-Id, traceparent and five headers of the user's",
    cases=(
        Case("no headers", Job(events=30_000)),
        Case("seven headers", Job(events=30_000, headers=True)),
    ),
    contenders=CONSUMERS,
    run=drained,
)
