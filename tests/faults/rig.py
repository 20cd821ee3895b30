"""Everything a fault needs: servers, workers, a network between them, and a journal of the runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from glam_shared.messaging import EventEnvelope, EventPublisher, JetStreamClient
from glam_shared.messaging.broker_errors import BrokerError
from glam_worker.testing.streams import StoredMessage, StreamReader
from tests.faults import jobs
from tests.faults.journal import VARIABLE, Journal
from tests.faults.proxy import Proxy
from tests.faults.servers import Cluster, FaultyServer
from tests.faults.waiting import until
from tests.faults.worker_process import WorkerProcess


class Rig:
    """One test's servers, workers and journal; all of it ends with the test.

    ``client`` is the test's own way to the server: never through a proxy, never frozen.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(folder / "journal")
        self.client = JetStreamClient()
        self.servers: list[str] = []
        self._started = 0
        self._ending = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._ending.push_async_callback(self.client.close)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._ending.aclose()

    # --- what there is ---

    async def server(self, **config: Any) -> FaultyServer:
        """A started server with these options; workers and the client use the first one."""
        server = FaultyServer(self.folder / f"nats{self._started}", config=config)
        self._started += 1
        self._ending.push_async_callback(asyncio.to_thread, server.stop)
        await asyncio.to_thread(server.start)
        if not self.servers:
            self.servers = [server.url]
        return server

    async def cluster(self) -> Cluster:
        """Three started servers that follow one leader."""
        cluster = Cluster(self.folder)
        self._ending.push_async_callback(asyncio.to_thread, cluster.stop)
        await asyncio.to_thread(cluster.start)
        await until(lambda: asyncio.to_thread(cluster.complete), "the cluster to be complete")
        self.servers = cluster.urls
        return cluster

    async def proxy(self, server: FaultyServer) -> Proxy:
        """A network before a server."""
        return await self._ending.enter_async_context(Proxy(server.port))

    def worker(
        self,
        *flags: str,
        servers: Iterable[str] = (),
        modules: tuple[str, ...] = (jobs.__name__,),
        out: Path | None = None,
        **env: Any,
    ) -> WorkerProcess:
        """A started worker process; ``env`` are its variables."""
        defaults = {
            VARIABLE: str(self.journal.path),
            "GLAM_SERVICE": jobs.SERVICE,
            "GLAM_SHUTDOWN_GRACE": "10",
        }
        named = ",".join(servers or self.servers)
        given = defaults | {name: str(value) for name, value in env.items()}
        worker = WorkerProcess(self.folder, named, given, *flags, modules=modules, out=out)
        self._ending.callback(worker.end)
        return worker

    async def ready_worker(self, *flags: str, **given: Any) -> WorkerProcess:
        """A worker process that pulls."""
        worker = self.worker(*flags, **given)
        await worker.is_ready()
        return worker

    # --- what is in it ---

    async def connect(self) -> JetStreamClient:
        """The test's own client, connected."""
        if self.client.epoch == 0:
            await self.client.connect(self.servers)
        return self.client

    async def prepare(self) -> None:
        """Have the streams and durables created, by a worker that has gone since."""
        assert await (await self.ready_worker()).term() == 0

    async def publish(self, wanted: Iterable[jobs.Job], subject: str = jobs.SUBJECT) -> list[str]:
        """Publish one event for each job; their ids, once the stream has them all."""
        await self.connect()
        publisher = EventPublisher(self.client, "tests")
        return await asyncio.gather(*(publisher.publish_event(subject, job) for job in wanted))

    async def letters(self) -> list[StoredMessage]:
        """The dead letters."""
        return await StreamReader(await self.connect(), "GLAM_DLQ").more("dlq.>")

    async def emitted(self) -> list[str]:
        """The ids of what handlers published, in the order of the stream."""
        messages = await StreamReader(await self.connect(), "GLAM_EVENTS").more(jobs.EMITTED)
        return [EventEnvelope.from_bytes(one.body).event_id for one in messages]

    async def consumer(self, name: str = "work") -> dict[str, Any]:
        """What the server says about a handler's durable."""
        return await self.client.api(f"CONSUMER.INFO.GLAM_EVENTS.{jobs.SERVICE}-{name}")

    async def parked(self) -> int:
        """How many messages lie in the retry stream."""
        info = await self.client.api("STREAM.INFO.GLAM_RETRY")
        return int(info["state"]["messages"])

    async def idle(self) -> bool:
        """Whether nothing waits for a worker, nothing is in hand, and nothing is parked."""
        try:
            for name in ("work", "threaded"):
                info = await self.consumer(name)
                if info["num_pending"] or info["num_ack_pending"]:
                    return False
            return await self.parked() == 0
        except BrokerError:  # a leader is being elected, say
            return False

    async def settled(self, within: float = 30.0) -> None:
        """Return once it is idle: every event is handled or in the dead letters."""
        await until(self.idle, "every event to be settled", within)
