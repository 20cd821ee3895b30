"""What is left for handlers that compute."""

from __future__ import annotations

from benchmarks.drained import drained
from benchmarks.job import Job
from benchmarks.scenario import Case, Scenario

SCENARIO = Scenario(
    name="cpu",
    title="A handler that burns 200 us of processor time",
    cases=(Case("200 us", Job(events=10_000, cpu=200e-6)),),
    contenders=("fetch_loop", "hand_tuned", "faststream:16", "taskiq", "glam_worker"),
    run=drained,
)
