"""The questions, in the order of the report. Each module has a `SCENARIO`."""

from __future__ import annotations

from benchmarks.scenarios import latency, memory, noop, waiting

SCENARIOS = (
    noop.SCENARIO,
    latency.SCENARIO,
    waiting.SCENARIO,
    memory.SCENARIO,
)
