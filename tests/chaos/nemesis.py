"""Breaks things at random, mends them, and waits until all is well before it breaks the next."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import BrokerError
from tests.chaos.places import Place
from tests.cli.command import environment
from tests.faults import jobs
from tests.faults.jobs import SERVICE
from tests.faults.servers import Cluster
from tests.faults.waiting import until

RECOVERS_WITHIN = 60.0
"""Seconds until all workers are ready again, from the moment the last fault was mended."""
FLOOR_NOTED_EVERY = 60.0
"""Seconds: what was settled since the worker last noted how far it is runs again."""


@dataclass(slots=True)
class Fault:
    """One thing that was broken."""

    kind: str
    target: str
    pids: frozenset[int]
    """The workers it touched; none: all of them."""
    start: float
    end: float = float("inf")
    """When all was well again, by the monotonic clock."""
    replays: float = 0.0
    """Seconds of the past that are run again, once it is mended."""


Breaking: TypeAlias = AbstractAsyncContextManager[None]


class Nemesis:
    """Faults in rounds: one to three at a time, mended after a while; then a calm."""

    def __init__(
        self, cluster: Cluster, places: list[Place], client: JetStreamClient, dice: random.Random
    ) -> None:
        self.faults: list[Fault] = []
        self.recoveries: list[float] = []
        """Seconds each round took from mended to well."""
        self.said: list[str] = []
        """What the operator's commands printed."""
        self._cluster = cluster
        self._places = places
        self._client = client
        self._dice = dice

    async def run(self, until_time: float) -> None:
        """Go on until then, by the monotonic clock."""
        while time.monotonic() < until_time:
            await self._round()
            await asyncio.sleep(self._dice.uniform(1.0, 4.0))

    async def _round(self) -> None:
        count = self._dice.choices([1, 2, 3], weights=[6, 3, 1])[0]
        breakings = [self._any() for _ in range(count)]
        begun = len(self.faults)
        await asyncio.gather(*(self._one(kind, breaking) for kind, breaking in breakings))
        mended = time.monotonic()
        await until(self.well, f"all to be well after {self.faults[begun:]}", RECOVERS_WITHIN)
        self.recoveries.append(time.monotonic() - mended)
        for fault in self.faults[begun:]:
            fault.end = time.monotonic()

    async def _one(self, kind: str, breaking: Callable[[], Breaking]) -> None:
        await asyncio.sleep(self._dice.uniform(0.0, 2.0))
        async with breaking():
            await asyncio.sleep(self._dice.uniform(0.2, 6.0))

    async def well(self) -> bool:
        """Whether the cluster is complete and every worker ready."""
        if not await asyncio.to_thread(self._cluster.complete):
            return False
        return all([await place.recovered() for place in self._places])

    # --- what can be broken ---

    def _any(self) -> tuple[str, Callable[[], Breaking]]:
        kinds: list[Callable[[], Breaking]] = [
            self._killed_worker,
            self._stopped_worker,
            self._frozen_worker,
            self._cut_network,
            self._held_network,
            self._deaf_server,
            self._slow_network,
            self._killed_server,
            self._stopped_server,
            self._frozen_server,
            self._new_leader,
            self._deleted_durable,
        ]
        kind = self._dice.choice(kinds)
        return kind.__name__, kind

    def _note(self, kind: str, place: Place | None, target: str) -> None:
        pids = frozenset(place.pids) if place is not None else frozenset[int]()
        self.faults.append(Fault(kind, target, pids, time.monotonic()))

    @asynccontextmanager
    async def _killed_worker(self) -> AsyncIterator[None]:
        place = self._dice.choice(self._places)
        self._note("kill -9", place, place.name)
        place.kill()
        try:
            yield
        finally:
            self._refill(place)

    @asynccontextmanager
    async def _stopped_worker(self) -> AsyncIterator[None]:
        place = self._dice.choice(self._places)
        if place.present.exit_code is not None:
            yield
            return
        self._note("term", place, place.name)
        place.thaw()
        await place.term()
        try:
            yield
        finally:
            self._refill(place)

    @staticmethod
    def _refill(place: Place) -> None:
        if place.present.exit_code is not None:
            place.fill()

    @asynccontextmanager
    async def _frozen_worker(self) -> AsyncIterator[None]:
        place = self._dice.choice(self._places)
        self._note("freeze", place, place.name)
        place.freeze()
        try:
            yield
        finally:
            place.thaw()

    @asynccontextmanager
    async def _cut_network(self) -> AsyncIterator[None]:
        place = self._dice.choice(self._places)
        self._note("cut", place, place.name)
        for proxy in place.proxies:
            proxy.closed = True
            proxy.cut()
        try:
            yield
        finally:
            for proxy in place.proxies:
                proxy.closed = False

    @asynccontextmanager
    async def _held_network(self) -> AsyncIterator[None]:
        place = self._dice.choice(self._places)
        self._note("partition", place, place.name)
        for proxy in place.proxies:
            proxy.hold()
        try:
            yield
        finally:
            for proxy in place.proxies:
                proxy.release()

    @asynccontextmanager
    async def _deaf_server(self) -> AsyncIterator[None]:
        place = self._dice.choice(self._places)
        self._note("one-way loss", place, place.name)
        for proxy in place.proxies:
            proxy.up.hold()
        try:
            yield
        finally:
            for proxy in place.proxies:
                proxy.cut()
                proxy.release()

    @asynccontextmanager
    async def _slow_network(self) -> AsyncIterator[None]:
        place = self._dice.choice(self._places)
        self._note("slow", place, place.name)
        for proxy in place.proxies:
            proxy.up.delay = proxy.down.delay = 0.2
        try:
            yield
        finally:
            for proxy in place.proxies:
                proxy.up.delay = proxy.down.delay = 0.0

    @asynccontextmanager
    async def _killed_server(self) -> AsyncIterator[None]:
        server = self._dice.choice(self._cluster.servers)
        self._note("server kill -9", None, str(server.store.name))
        await asyncio.to_thread(server.kill)
        try:
            yield
        finally:
            await asyncio.to_thread(server.start)

    @asynccontextmanager
    async def _stopped_server(self) -> AsyncIterator[None]:
        server = self._dice.choice(self._cluster.servers)
        self._note("server term", None, str(server.store.name))
        await asyncio.to_thread(server.stop)
        try:
            yield
        finally:
            await asyncio.to_thread(server.start)

    @asynccontextmanager
    async def _frozen_server(self) -> AsyncIterator[None]:
        server = self._dice.choice(self._cluster.servers)
        self._note("server freeze", None, str(server.store.name))
        server.freeze()
        try:
            yield
        finally:
            server.thaw()

    @asynccontextmanager
    async def _new_leader(self) -> AsyncIterator[None]:
        what = self._dice.choice(
            [
                f"CONSUMER.LEADER.STEPDOWN.GLAM_EVENTS.{SERVICE}-work",
                "STREAM.LEADER.STEPDOWN.GLAM_EVENTS",
                "STREAM.LEADER.STEPDOWN.GLAM_RETRY",
                f"CONSUMER.LEADER.STEPDOWN.GLAM_RETRY.{SERVICE}-work-lane",
            ]
        )
        self._note("step-down", None, what)
        with contextlib.suppress(BrokerError):
            await self._client.api(what)
        yield

    @asynccontextmanager
    async def _deleted_durable(self) -> AsyncIterator[None]:
        """Deleted, and made anew by an operator: from where it was when that was last noted."""
        handler = self._dice.choice(["work", "threaded"])
        durable = f"{SERVICE}-{handler}"
        self._note("delete", None, durable)
        self.faults[-1].replays = FLOOR_NOTED_EVERY
        with contextlib.suppress(BrokerError):
            await self._client.api(f"CONSUMER.DELETE.GLAM_EVENTS.{durable}", timeout=20.0)
        try:
            yield
        finally:
            await until(lambda: self._recreated(handler), f"{durable} to be made anew", 60.0)

    async def _recreated(self, handler: str) -> bool:
        command = [sys.executable, "-m", "glam_worker", "apply", jobs.__name__, "--yes"]
        command += ["--service", SERVICE, "--servers", ",".join(self._cluster.urls)]
        command += ["--recreate", handler, "--from", "floor"]
        env = environment({"FAULTS_ACK_WAIT": "3", "GLAM_STREAM_REPLICAS": "3"})
        done = await asyncio.to_thread(
            subprocess.run, command, env=env, check=False, capture_output=True, text=True
        )
        self.said.append(done.stdout + done.stderr)
        return done.returncode == 0
