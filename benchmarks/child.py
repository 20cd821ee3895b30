"""The process of one contender: `python -m benchmarks.child NAME JOB`.

It says, in lines of JSON, that it is ready, waits to be told to go, and says when the job's events
are handled. `now` asks it for what it uses; at the end of its input it says what it noted and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import uvloop

from benchmarks.contenders import worker
from benchmarks.job import Job
from benchmarks.probe import Probe

Tell = Callable[[dict[str, Any]], None]


def line_to_parent() -> Tell:
    """What was standard output; from now on, what contenders print there goes to standard error."""
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return lambda fact: print(json.dumps(fact), file=lines)


async def line_from_parent() -> asyncio.StreamReader:
    """Standard input; not read in a thread, of which sync handlers may want all."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def main(name: str, job: Job) -> None:
    """Work until the parent closes the input."""
    tell, orders = line_to_parent(), await line_from_parent()
    probe = Probe(job, lambda: tell({"done": True}))
    work = worker(name)
    tell({"ready": True})
    await orders.readline()
    working = asyncio.create_task(work(job, probe))
    answering = asyncio.create_task(_answer(orders, tell, probe))
    await asyncio.wait({working, answering}, return_when=asyncio.FIRST_COMPLETED)
    if working.done() and working.exception():
        raise SystemExit(f"{name} stopped: {working.exception()!r}")
    await answering
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


async def _answer(orders: asyncio.StreamReader, tell: Tell, probe: Probe) -> None:
    while await orders.readline():
        tell(probe.now())
    tell(probe.result())


if __name__ == "__main__":
    # Log lines are written, as in production, where they disturb nobody.
    logging.basicConfig(filename=os.devnull, level=logging.WARNING)
    uvloop.run(main(sys.argv[1], Job.from_json(sys.argv[2])))
