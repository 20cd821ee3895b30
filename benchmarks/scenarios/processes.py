"""What a second process brings."""

from __future__ import annotations

from benchmarks.drained import drained
from benchmarks.job import Job
from benchmarks.scenario import Case, Scenario

SCENARIO = Scenario(
    name="processes",
    title="A handler that does nothing, in several processes that share the durable",
    cases=tuple(
        Case(f"{count} process{'es' * (count > 1)}", Job(events=100_000, processes=count))
        for count in (1, 2, 4)
    ),
    contenders=("bare_inbox", "fetch_loop", "hand_tuned", "faststream:16", "glam_worker"),
    run=drained,
)
