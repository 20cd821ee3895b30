"""What the way through a thread costs."""

from __future__ import annotations

from benchmarks.drained import drained
from benchmarks.job import Job
from benchmarks.scenario import Case, Scenario

SCENARIO = Scenario(
    name="sync",
    title="A plain function that does nothing, run in a thread",
    cases=(Case("sync", Job(events=20_000, sync=True)),),
    contenders=("fetch_loop", "hand_tuned", "faststream:16", "taskiq", "glam_worker"),
    run=drained,
)
