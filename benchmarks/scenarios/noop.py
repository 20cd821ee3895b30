"""How much an event costs beside its handler."""

from __future__ import annotations

from benchmarks.drained import drained
from benchmarks.job import Job
from benchmarks.scenario import Case, Scenario

SCENARIO = Scenario(
    name="noop",
    title="50,000 waiting events of about 700 bytes, a handler that does nothing",
    cases=(Case("no-op", Job(events=50_000)),),
    contenders=(
        "bare_inbox",
        "fetch_loop",
        "hand_tuned",
        "faststream:1",
        "faststream:16",
        "taskiq",
        "glam_worker",
    ),
    run=drained,
)
