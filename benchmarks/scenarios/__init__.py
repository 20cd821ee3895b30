"""The questions, in the order of the report. Each module has a `SCENARIO`."""

from __future__ import annotations

from benchmarks.scenarios import (
    awaits,
    cpu,
    failing,
    handlers_idle,
    handlers_loaded,
    headers,
    idempotent,
    latency,
    million,
    noop,
    payload,
    processes,
    publishing,
    slow,
    sync,
)

SCENARIOS = (
    noop.SCENARIO,
    awaits.SCENARIO,
    cpu.SCENARIO,
    sync.SCENARIO,
    slow.SCENARIO,
    failing.SCENARIO,
    headers.SCENARIO,
    payload.SCENARIO,
    latency.SCENARIO,
    processes.SCENARIO,
    handlers_idle.SCENARIO,
    handlers_loaded.SCENARIO,
    publishing.SCENARIO,
    million.SCENARIO,
    idempotent.SCENARIO,
)
