"""One run: a fresh server, events in its stream, one contender's process, and its measurements."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import nats
from nats.js import JetStreamContext

from benchmarks.events import Publisher, create_stream
from benchmarks.job import STREAM, Job
from benchmarks.server import fresh_server

SETTLED_WITHIN = 30.0
LINE_LIMIT = 1 << 24


class BenchError(Exception):
    """A run that measured nothing, and why."""


@dataclass(frozen=True, slots=True)
class Rig:
    """A server that runs, and a connection to it."""

    server: str
    publisher: Publisher
    jetstream: JetStreamContext

    async def settled(self) -> None:
        """Wait until the consumers of the stream have nothing left, delivered or not.

        Raises BenchError if that does not happen: then the contender did not do its work.
        """
        try:
            async with asyncio.timeout(SETTLED_WITHIN):
                while left := await self._left():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise BenchError(f"{left} events are handled but not acked") from None

    async def _left(self) -> int:
        consumers = await self.jetstream.consumers_info(STREAM)
        return sum((c.num_pending or 0) + (c.num_ack_pending or 0) for c in consumers)


@contextlib.asynccontextmanager
async def rig(events: int) -> AsyncIterator[Rig]:
    """A fresh server whose stream holds *events* events."""
    async with fresh_server() as url:
        connection = await nats.connect(url)
        await create_stream(connection)
        publisher = Publisher(connection)
        await publisher.load(events)
        try:
            yield Rig(url, publisher, connection.jetstream())
        finally:
            await connection.close()


class Run:
    """A contender's process; see `child.py` for what it says."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def fact(self) -> dict[str, Any]:
        """What the contender says next. Raises BenchError if it ended instead."""
        assert self._process.stdout
        line = await self._process.stdout.readline()
        if not line:
            raise BenchError(f"the contender ended with code {await self._process.wait()}")
        fact: dict[str, Any] = json.loads(line)
        return fact

    async def result(self, rig: Rig) -> dict[str, Any]:
        """Its measurements, once the server agrees that all events are settled."""
        fact = await self.fact()
        while "result" not in fact:
            fact = await self.fact()
        await rig.settled()
        return {**fact["result"], **await self.finish()}

    async def finish(self) -> dict[str, Any]:
        """Let the process end; its runs and its peak of memory."""
        assert self._process.stdin
        self._process.stdin.close()
        return await self.fact()


@contextlib.asynccontextmanager
async def running(contender: str, job: Job, under: tuple[str, ...] = ()) -> AsyncIterator[Run]:
    """The contender at its job, in a process of its own, which does not outlive the block.

    ``under`` is a command that runs the process, such as a profiler.
    """
    process = await asyncio.create_subprocess_exec(
        *(*under, sys.executable, "-m", "benchmarks.child", contender, job.to_json()),
        stdin=PIPE,
        stdout=PIPE,
        limit=LINE_LIMIT,
    )
    try:
        yield Run(process)
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()
            await process.wait()
