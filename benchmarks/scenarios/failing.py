"""What failures cost, their retries included."""

from __future__ import annotations

from benchmarks.drained import drained
from benchmarks.job import Job
from benchmarks.scenario import Case, Scenario

SCENARIO = Scenario(
    name="failing",
    title="A handler that does nothing, of which every 100th run fails and is retried",
    cases=(
        Case("none fail", Job(events=20_000)),
        Case("1 % fail", Job(events=20_000, fail_every=100)),
    ),
    # TaskIQ's retries publish tasks of its own, which are not our events.
    contenders=("fetch_loop", "hand_tuned", "faststream:16", "glam_worker"),
    run=drained,
)
