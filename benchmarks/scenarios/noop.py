"""How much an event costs beside its handler."""

from __future__ import annotations

from benchmarks.job import Job
from benchmarks.rig import rig, running
from benchmarks.scenario import Measured, Metric, Scenario

EVENTS = 50_000


async def run(contender: str, scale: float) -> Measured:
    """All events wait in the stream; the handler does nothing. From first start to last end."""
    events = max(int(EVENTS * scale), 1_000)
    async with rig(events) as bench, running(contender, Job(bench.server, events)) as contending:
        result = await contending.result(bench)
    return {
        "events_per_second": result["events_per_second"],
        "cpu_us_per_event": result["cpu_us_per_event"],
        "peak_mib": result["peak_rss"] / 2**20,
        "repeated": result["runs"] - events,
    }


SCENARIO = Scenario(
    name="noop",
    title="50,000 waiting events of about 700 bytes, a handler that does nothing",
    metrics=(
        Metric("events_per_second", "events/s"),
        Metric("cpu_us_per_event", "CPU us/event", digits=1),
        Metric("peak_mib", "peak RSS MiB", digits=1),
        Metric("repeated", "run again", compared=False),
    ),
    contenders=("bare_inbox", "fetch_loop", "faststream", "glam_worker"),
    run=run,
)
