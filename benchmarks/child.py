"""The process of one contender: `python -m benchmarks.child NAME JOB`.

Tells its parent, in lines of JSON, its milestones and at last what it measured; ends when the
parent closes its input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys

import uvloop

from benchmarks.contenders import contender
from benchmarks.job import Job
from benchmarks.memory import peak_bytes
from benchmarks.probe import Probe, Tell


def line_to_parent() -> Tell:
    """What was standard output; from now on, what contenders print there goes to standard error."""
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return lambda fact: print(json.dumps(fact), file=lines)


async def main(name: str, job: Job) -> None:
    """Consume until the job is done and the parent has seen that all is settled."""
    tell = line_to_parent()
    probe = Probe(job, tell)
    consuming = asyncio.create_task(contender(name)(job, probe))
    done = asyncio.create_task(probe.done())
    await asyncio.wait({consuming, done}, return_when=asyncio.FIRST_COMPLETED)
    if not done.done():
        done.cancel()
        raise SystemExit(f"{name} stopped consuming after {probe.runs} events: {_cause(consuming)}")
    tell({"result": done.result()})
    await asyncio.to_thread(sys.stdin.read)
    tell({"runs": probe.runs, "peak_rss": peak_bytes()})
    consuming.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await consuming


def _cause(task: asyncio.Task[None]) -> str:
    return repr(task.exception())


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Job.from_json(sys.argv[2])))
