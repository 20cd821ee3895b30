"""The doctor and a cluster of three servers, whole and in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from glam_shared.messaging import JetStreamClient
from glam_worker import Worker
from glam_worker.declare.registry import Registry
from glam_worker.doctor.checks import examine
from glam_worker.doctor.findings import Finding
from glam_worker.doctor.gathering import gather
from glam_worker.settings import Settings
from glam_worker.testing.factory import BenchSettings
from tests.dev.waiting import until
from tests.faults.servers import Cluster
from tests.topology.permitted_server import soon_so

pytestmark = [pytest.mark.faults, pytest.mark.timeout(170)]


class Order(BaseModel):
    number: int


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three servers that have found one another."""
    started = Cluster(tmp_path)
    started.start()
    until(started.complete, "a cluster of three", 60)
    yield started
    started.stop()


def settings(cluster: Cluster, replicas: int) -> Settings:
    """Those of a worker on the cluster."""
    return BenchSettings(
        service="shop",
        nats_servers=",".join(cluster.urls),
        stream_replicas=replicas,
        http_port=0,
        dlq_max_bytes=1 << 22,
    )


async def start(cluster: Cluster, replicas: int) -> Worker:
    """A worker that has made its streams."""
    registry = Registry()

    @registry.on("evt.order.placed.v1", Order)
    async def ship(order: Order) -> None: ...

    worker = Worker(registry, settings(cluster, replicas))
    await worker.start()
    return worker


async def examined(worker: Worker) -> list[Finding]:
    """What the doctor finds over a connection of its own."""
    async with JetStreamClient() as client:
        await client.connect(**worker.settings.connection(), timeout=30)
        return examine(await gather(client, worker.settings, None))


async def test_one_replica_in_a_cluster_is_found_and_three_are_not(cluster: Cluster) -> None:
    """Each stream of one replica is an error; replicated three times, none is."""
    worker = await start(cluster, replicas=1)
    found = [one for one in await examined(worker) if one.check == "replicas"]
    things = {one.thing for one in found}
    for name in (await worker.client.api("STREAM.NAMES"))["streams"]:
        info = await worker.client.api(f"STREAM.INFO.{name}")
        await worker.client.api(f"STREAM.UPDATE.{name}", info["config"] | {"num_replicas": 3})

    async def healthy() -> bool:
        return not any(one.severity == "error" for one in await examined(worker))

    await soon_so(healthy, "three followers for each stream", 60)
    await worker.stop(0)
    assert {"stream GLAM_EVENTS", "stream GLAM_RETRY", "stream GLAM_DLQ"} <= things


async def test_a_cluster_without_most_of_its_servers_is_told(cluster: Cluster) -> None:
    """With one server of three left, what does not answer is an error, and the look ends."""
    worker = await start(cluster, replicas=3)
    for server in cluster.servers[1:]:
        server.kill()
    async with JetStreamClient() as client:
        await client.connect(cluster.servers[0].url, timeout=30)

        async def told() -> bool:
            seen = await gather(client, worker.settings, None)
            errors = [one for one in examine(seen) if one.severity == "error"]
            return "no-answer" in {one.check for one in errors}

        await soon_so(told, "a cluster without leader", 90)
    await worker.stop(0)
