"""One run: a fresh server, its stream, a contender's processes, and what they noted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import nats
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo

from benchmarks.events import Publisher, create_stream
from benchmarks.job import STREAM, Job
from benchmarks.server import fresh_server

SETTLED_WITHIN = 30.0
PULLING_WITHIN = 60.0
LINE_LIMIT = 1 << 26

Fact = dict[str, Any]


class BenchError(Exception):
    """A run that measured nothing, and why."""


class Child:
    """A contender's process; see `child.py` for what it says."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.spawned = time.monotonic()

    async def fact(self) -> Fact:
        """What it says next. Raises BenchError if it ended instead."""
        assert self._process.stdout
        line = await self._process.stdout.readline()
        if not line:
            raise BenchError(f"the contender ended with code {await self._process.wait()}")
        fact: Fact = json.loads(line)
        return fact

    def order(self, word: str) -> None:
        """Tell it something."""
        assert self._process.stdin
        self._process.stdin.write(f"{word}\n".encode())

    async def now(self) -> Fact:
        """What it uses at this instant."""
        self.order("now")
        return await self.fact()

    async def result(self) -> Fact:
        """Let it end; everything it noted."""
        assert self._process.stdin
        self._process.stdin.close()
        while "done" in (fact := await self.fact()):
            continue  # of several, it has handled them all
        return fact

    def check(self) -> None:
        """Raise BenchError if it ended."""
        if self._process.returncode is not None:
            raise BenchError(f"the contender ended with code {self._process.returncode}")

    async def gone(self) -> None:
        """Wait for its end, and help."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 5)
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@dataclass(frozen=True, slots=True)
class Rig:
    """A server that runs, and the processes of one contender at a job."""

    job: Job
    publisher: Publisher
    jetstream: JetStreamContext
    children: tuple[Child, ...]

    async def handled(self) -> None:
        """Wait until all events are handled.

        A child sees that for itself if it is the only one; otherwise the server is asked.
        Raises BenchError if it sees others than the server has.
        """
        if len(self.children) == 1:
            await self._seen(self.children[0])
            return
        await self.pulling(self.job.handlers)
        while await self._left():
            for child in self.children:
                child.check()
            await asyncio.sleep(0.1)

    async def _seen(self, child: Child) -> None:
        said = asyncio.ensure_future(child.fact())
        settled = False
        while not (await asyncio.wait({said}, timeout=SETTLED_WITHIN))[0]:
            if settled:
                said.cancel()
                raise BenchError("all events are settled, and not all of them were handled")
            settled = bool(await self._consumers()) and not await self._left()
        said.result()

    async def results(self) -> list[Fact]:
        """What each child noted, once the server agrees that all events are settled.

        Raises BenchError if it does not: then the contender did not do its work.
        """
        try:
            async with asyncio.timeout(SETTLED_WITHIN):
                while left := await self._left():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise BenchError(f"{left} events are handled but not acked") from None
        return [await child.result() for child in self.children]

    async def pulling(self, durables: int) -> float:
        """Seconds since the first process was spawned, once so many durables are pulled from."""
        try:
            async with asyncio.timeout(PULLING_WITHIN):
                while sum(bool(c.num_waiting) for c in await self._consumers()) < durables:
                    self.children[0].check()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise BenchError(f"not all of {durables} durables are pulled from") from None
        return time.monotonic() - self.children[0].spawned

    async def _left(self) -> int:
        consumers = await self._consumers()
        return sum((c.num_pending or 0) + (c.num_ack_pending or 0) for c in consumers)

    async def _consumers(self) -> list[ConsumerInfo]:
        found: list[ConsumerInfo] = []
        while page := await self.jetstream.consumers_info(STREAM, len(found)):
            found += page
            if len(page) < 256:
                break
        return found


@contextlib.asynccontextmanager
async def rig(
    contender: str, job: Job, stored: int, under: tuple[str, ...] = ()
) -> AsyncIterator[Rig]:
    """A fresh server whose stream holds *stored* events, and the contender told to go.

    *under* is a command that runs the contender's processes, such as a profiler.
    """
    async with fresh_server() as url:
        connection = await nats.connect(url)
        await create_stream(connection)
        publisher = Publisher(connection, job)
        await publisher.load(stored)
        job = replace(job, server=url, variant=contender.partition(":")[2])
        try:
            async with _running(contender, job, under) as children:
                yield Rig(job, publisher, connection.jetstream(), children)
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def _running(
    contender: str, job: Job, under: tuple[str, ...]
) -> AsyncIterator[tuple[Child, ...]]:
    """The contender at its job, in processes of its own, which do not outlive the block."""
    command = (*under, sys.executable, "-m", "benchmarks.child", contender, job.to_json())
    children: list[Child] = []
    try:
        for _ in range(job.processes):
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, limit=LINE_LIMIT
            )
            children.append(Child(process))
        for child in children:
            await child.fact()
        for child in children:
            child.order("go")
        yield tuple(children)
    finally:
        await asyncio.gather(*(child.gone() for child in children))
