"""What is measured, of whom, with which jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from benchmarks.job import Job

Measured = dict[str, float]
"""Values by the keys of the scenario's metrics."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of the report."""

    key: str
    title: str
    digits: int = 0
    compared: bool = True
    """Whether the ratio to the baseline is shown."""
    across: bool = False
    """Whether the ratio to the contender's own value in the scenario's first case is shown."""


@dataclass(frozen=True, slots=True)
class Case:
    """One of the jobs that a scenario compares."""

    name: str
    job: Job


def handlers(job: Job) -> tuple[Case, ...]:
    """The job for one handler in a process, and for many."""
    return tuple(
        Case(f"{count} handler{'s' * (count > 1)}", replace(job, handlers=count))
        for count in (1, 10, 100, 500)
    )


CONSUMERS = (
    "bare_inbox",
    "fetch_loop",
    "hand_tuned",
    "faststream:16",
    "taskiq",
    "glam_worker",
)
"""Those who can handle any event of ours as it comes."""

RATE = Metric("events_per_second", "events/s", across=True)
COST = Metric("cpu_us_per_event", "CPU us/event", digits=1, across=True)
PEAK = Metric("peak_mib", "peak MiB", digits=1)
REPEATED = Metric("repeated", "run again", compared=False)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One question about contenders."""

    name: str
    title: str
    cases: tuple[Case, ...]
    contenders: tuple[str, ...]
    run: Callable[[str, Job], Awaitable[Measured]]
    metrics: tuple[Metric, ...] = (RATE, COST, PEAK, REPEATED)
    baseline: str = "fetch_loop"
    """The contender whose values are 1.00x."""
    rounds: int = 3
    """Rounds unless the command line says otherwise."""
