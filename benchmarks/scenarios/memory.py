"""Whether memory depends on what waits or on what was handled."""

from __future__ import annotations

from benchmarks.job import Job
from benchmarks.rig import Rig, Run, rig, running
from benchmarks.scenario import Measured, Metric, Scenario

WAITING = 200_000
HANDLED = 500_000
STEPS = 20


async def run(contender: str, scale: float) -> Measured:
    """200,000 events wait at the start and are topped up while 500,000 are handled."""
    waiting, step = int(WAITING * scale), int(HANDLED * scale) // STEPS
    handled = step * STEPS
    async with rig(waiting) as bench:
        job = Job(bench.server, handled, milestone=step)
        async with running(contender, job) as contending:
            resident = await _topped_up(bench, contending, step, handled - waiting)
            result = await contending.result(bench)
    return {
        "waiting_mib": resident[0] / 2**20,
        "handled_mib": resident[-1] / 2**20,
        "growth_mib": (resident[-1] - resident[STEPS // 5]) / 2**20,
        "peak_mib": result["peak_rss"] / 2**20,
    }


async def _topped_up(bench: Rig, contending: Run, step: int, more: int) -> list[int]:
    """Bytes resident after each step; publishes what was handled again, *more* in all."""
    resident = []
    for _ in range(STEPS):
        resident.append((await contending.fact())["rss"])
        top_up = min(step, more)
        if top_up:
            await bench.publisher.load(top_up)
        more -= top_up
    return resident


SCENARIO = Scenario(
    name="memory",
    title="200,000 waiting, 500,000 handled: resident memory",
    metrics=(
        Metric("waiting_mib", "with 200k waiting MiB", digits=1),
        Metric("handled_mib", "after 500k MiB", digits=1),
        Metric("growth_mib", "growth 125k..500k MiB", digits=1, compared=False),
        Metric("peak_mib", "peak MiB", digits=1),
    ),
    contenders=("bare_inbox", "glam_worker"),
    run=run,
    rounds=1,
)
