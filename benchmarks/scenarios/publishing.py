"""What it costs to put an event into the stream."""

from __future__ import annotations

from benchmarks.figures import rates
from benchmarks.job import STREAM, Job
from benchmarks.rig import BenchError, rig
from benchmarks.scenario import COST, PEAK, RATE, Case, Measured, Scenario


async def published(contender: str, job: Job) -> Measured:
    """From the first event made to the last PubAck; the stream must hold all of them."""
    async with rig(contender, job, stored=0) as bench:
        await bench.handled()
        stored = (await bench.jetstream.stream_info(STREAM)).state.messages
        results = await bench.results()
    if stored != job.events:
        raise BenchError(f"{stored} events are stored of {job.events}")
    return rates(results)


SCENARIO = Scenario(
    name="publishing",
    title="Making and publishing events; every PubAck is awaited, one by one or 512 at a time",
    cases=(Case("publishing", Job(events=30_000)),),
    contenders=("js_publish", "publish_event", "js_pipelined", "js_ready_bytes", "publish_many"),
    run=published,
    metrics=(RATE, COST, PEAK),
    baseline="js_pipelined",
)
