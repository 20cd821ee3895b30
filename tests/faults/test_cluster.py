"""Three servers, streams of three replicas: one of them goes, or two, or the leader changes."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from functools import partial

import pytest

from glam_shared.messaging import JetStreamClient
from glam_shared.messaging.broker_errors import BrokerError
from tests.faults.jobs import SERVICE, Job
from tests.faults.rig import Rig
from tests.faults.servers import Cluster, FaultyServer
from tests.faults.waiting import until
from tests.faults.worker_process import WorkerProcess

pytestmark = [pytest.mark.faults, pytest.mark.timeout(150)]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


@pytest.fixture
async def cluster(servers: Cluster, rig: Rig) -> Cluster:
    """All three run, and hold no stream."""
    await asyncio.to_thread(servers.start)
    await until(lambda: asyncio.to_thread(servers.complete), "the cluster to be complete", 60)
    rig.servers = servers.urls
    client = await rig.connect()
    await until(partial(places_a_stream, client), "the cluster to place a stream", 60)
    for name in (await client.api("STREAM.NAMES"))["streams"] or ():
        await client.api(f"STREAM.DELETE.{name}")
    return servers


async def places_a_stream(client: JetStreamClient) -> bool:
    """Whether all three take one; for a while after its return a server may count as offline."""
    try:
        await client.api("STREAM.CREATE.PROBE", {"name": "PROBE", "num_replicas": 3})
    except BrokerError:
        return False
    return True


async def worker_of(rig: Rig) -> WorkerProcess:
    """A worker whose streams have three replicas."""
    return await rig.ready_worker(GLAM_STREAM_REPLICAS=3)


async def leader(rig: Rig, what: str) -> str:
    """The name of the server that leads a stream, or a consumer; empty while none does."""
    try:
        return str((await rig.client.api(what))["cluster"].get("leader") or "")
    except BrokerError:
        return ""


def server_of(cluster: Cluster) -> FaultyServer:
    """The server that the worker is connected to."""
    for server in cluster.servers:
        clients = server.monitor("/connz").get("connections", [])
        if any(client.get("name") == SERVICE for client in clients):
            return server
    raise AssertionError("the worker is not connected")


def ended(rig: Rig, count: int) -> bool:
    """Whether so many jobs have ended."""
    return len(rig.journal.ended()) >= count


@pytest.mark.parametrize("what", ["CONSUMER", "STREAM"])
async def test_a_leader_that_steps_down_is_followed_at_once(
    rig: Rig, cluster: Cluster, what: str
) -> None:
    """The requests are void, and made again, and so are the acks that met no leader."""
    worker = await worker_of(rig)
    await rig.publish(Job(id=number, do="sleep", seconds=0.05) for number in range(400))
    name = f"GLAM_EVENTS.{SERVICE}-work" if what == "CONSUMER" else "GLAM_EVENTS"
    for turn in range(3):
        old = await until(partial(leader, rig, f"{what}.INFO.{name}"), "a leader")
        await until(partial(ended, rig, 60 * turn + 20), "some work")
        await rig.client.api(f"{what}.LEADER.STEPDOWN.{name}")
        stepped_down = time.monotonic()
        done = len(rig.journal.ended())
        await until(partial(ended, rig, min(done + 20, 400)), "it to go on")
        assert time.monotonic() - stepped_down < 10
        assert old
    await rig.settled()

    started = rig.journal.started()
    assert len(rig.journal.ended()) == 400
    assert sum(started.values()) - 400 <= (8 if what == "CONSUMER" else 0)
    assert not worker.said("no heartbeat")


async def test_a_killed_stream_leader_loses_nothing(rig: Rig, cluster: Cluster) -> None:
    """Publishers and workers wait for the election; every acknowledged event is handled."""
    await worker_of(rig)
    old = await until(partial(leader, rig, "STREAM.INFO.GLAM_EVENTS"), "a leader")
    jobs = [Job(id=number, do="sleep", seconds=0.05) for number in range(300)]
    await rig.publish(jobs[:150])
    publishing = asyncio.ensure_future(rig.publish(jobs[150:]))
    await until(partial(ended, rig, 30), "some work")
    await asyncio.to_thread(cluster.named(old).kill)
    ids = await publishing
    await until(partial(ended, rig, 300), "all to be handled", 60)
    await rig.settled(60)

    started = rig.journal.started()
    assert len(set(ids)) == 150
    assert len(rig.journal.ended()) == 300
    assert sum(started.values()) - 300 <= 20, "8 runs and what was acked in the last moment"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGUSR2])
async def test_a_server_that_shuts_down_in_order_hands_its_clients_over(
    rig: Rig, cluster: Cluster, how: signal.Signals
) -> None:
    """SIGTERM, or lame duck: the worker goes to another server, and little runs twice."""
    worker = await worker_of(rig)
    await rig.publish(Job(id=number, do="sleep", seconds=0.05) for number in range(400))
    await until(partial(ended, rig, 30), "some work")
    old = server_of(cluster)
    old.signal(how)
    await until(old.trouble, "the server to end", 60)
    await asyncio.to_thread(old.stop)
    await rig.settled(60)
    await worker.is_ready()

    started = rig.journal.started()
    assert len(rig.journal.ended()) == 400
    assert sum(started.values()) - 400 <= 20
    assert server_of(cluster) is not old


async def test_a_lost_quorum_is_said_and_survived(rig: Rig, cluster: Cluster) -> None:
    """Two of three are gone: silence. The worker is not ready, says why, and goes on after."""
    worker = await worker_of(rig)
    await rig.publish(Job(id=number) for number in range(20))
    await rig.settled()
    kept = server_of(cluster)
    gone = [server for server in cluster.servers if server is not kept]
    for server in gone:
        await asyncio.to_thread(server.kill)
    await worker.is_unready("", within=40)
    memory = worker.resident()
    for server in gone:
        await asyncio.to_thread(server.start)
    back = time.monotonic()
    await worker.is_ready()
    recovered = time.monotonic() - back
    await rig.publish(Job(id=number) for number in range(100, 120))
    await rig.settled()

    assert recovered < 30
    assert worker.resident() - memory < 20e6
    assert len(rig.journal.ended()) == 40
    assert worker.exit_code is None
