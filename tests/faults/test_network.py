"""The network between one worker and the server breaks, in the ways it can."""

from __future__ import annotations

import time
from functools import partial

import pytest

from tests.faults.jobs import Job
from tests.faults.proxy import Proxy
from tests.faults.rig import Rig
from tests.faults.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(150)]


async def test_a_partition_costs_one_run_of_what_was_in_hand(rig: Rig) -> None:
    """Its work is run by another; when the partition heals, its late acks hurt nobody.

    In hand is what it ran, and what the server had sent it since: 6 messages at most. What the
    server sent it a second time meanwhile, it knows.
    """
    server = await rig.server()
    proxy = await rig.proxy(server)
    cut_off = await rig.ready_worker(servers=[proxy.url], FAULTS_CONCURRENCY=4)
    await rig.publish(Job(id=number, do="sleep", seconds=4) for number in range(4))
    await until(lambda: len(rig.journal.running(cut_off.pid)) == 4, "the jobs to run")
    proxy.hold()
    other = await rig.ready_worker()
    await rig.publish(Job(id=number) for number in range(100, 150))

    await until(lambda: rig.journal.running(other.pid) >= set(range(4)), "another to run them")
    await until(lambda: not rig.journal.running(cut_off.pid), "the cut off worker to have ended")
    proxy.release()
    await cut_off.is_ready()
    await rig.publish(Job(id=number, do="sleep", seconds=0.2) for number in range(200, 300))
    await rig.settled()

    started = rig.journal.started()
    again = {number for number, count in started.items() if count > 1}
    assert again >= set(range(4))
    assert len(again) <= 6
    assert max(started.values()) == 2
    assert len(rig.journal.ended()) == 154
    assert any(run.start.job >= 200 and run.start.pid == cut_off.pid for run in rig.journal.runs())


async def test_a_partition_that_is_noticed_is_named_and_healed(rig: Rig) -> None:
    """A black hole is no closed socket: within 15 s the worker is not ready, and says why."""
    server = await rig.server()
    proxy = await rig.proxy(server)
    worker = await rig.ready_worker(servers=[proxy.url])
    await rig.publish([Job(id=1)])
    await rig.settled()

    proxy.hold()
    held = time.monotonic()
    await worker.is_unready("", within=25)
    noticed = time.monotonic() - held
    await rig.publish(Job(id=number) for number in range(2, 10))
    proxy.release()
    await worker.is_ready()
    await rig.settled()

    assert noticed <= 16
    assert rig.journal.started() == dict.fromkeys(range(1, 10), 1)


async def test_acks_that_vanish_cost_a_second_run(rig: Rig) -> None:
    """Only the way to the server is broken: what was handled runs again, elsewhere.

    Here it does not, where the server gives it to the requests that are open yet.
    """
    server = await rig.server()
    proxy = await rig.proxy(server)
    first = await rig.ready_worker(servers=[proxy.url])
    await rig.publish([Job(id=number, do="sleep", seconds=0.5) for number in range(6)])
    await until(lambda: len(rig.journal.running(first.pid)) == 6, "the jobs to run")
    proxy.up.hold()
    await until(lambda: len(rig.journal.ended()) == 6, "the jobs to end")
    second = await rig.ready_worker()
    await until(lambda: sum(rig.journal.ended().values()) >= 12, "another to run them")
    proxy.cut()
    proxy.release()
    await first.is_ready()
    await rig.settled()

    assert {run.start.pid for run in rig.journal.runs()[6:]} == {second.pid}
    assert set(rig.journal.started().values()) == {2}


async def test_an_ack_lost_with_its_connection_is_sent_again(rig: Rig) -> None:
    """Written to a socket that then died, it goes out over the next one: nothing runs twice."""
    server = await rig.server()
    proxy = await rig.proxy(server)
    worker = await rig.ready_worker(servers=[proxy.url], FAULTS_ACK_WAIT=30)
    proxy.up.loses = lambda data: b"PUB $JS.ACK." in data
    await rig.publish([Job(id=1)])
    await until(lambda: proxy.up.lost, "the ack to be lost")
    proxy.cut()
    proxy.up.loses = lambda _data: False
    await worker.is_ready()
    await rig.settled()

    assert rig.journal.started() == {1: 1}


@pytest.mark.parametrize("do", ["reject", "fail"])
async def test_a_pub_ack_that_is_lost_stores_nothing_twice(rig: Rig, do: str) -> None:
    """The letter, or the retry, is published again with the same id, which the stream knows."""
    server = await rig.server()
    proxy = await rig.proxy(server)
    worker = await rig.ready_worker(servers=[proxy.url], FAULTS_ACK_WAIT=30)
    proxy.down.loses = lambda data: b'{"stream":"GLAM_' in data
    await rig.publish([Job.model_validate({"id": 1, "do": do, "times": 1})])
    await until(lambda: proxy.down.lost, "an answer to be lost")
    proxy.down.loses = lambda _data: False
    await rig.settled()

    assert len(await rig.letters()) == (1 if do == "reject" else 0)
    assert rig.journal.started() == {1: 1 if do == "reject" else 2}
    assert await worker.metric("settlements_refused_total") == 0


@pytest.mark.parametrize(("seconds", "refused"), [(1.0, 0), (4.0, 2)])
async def test_a_stream_that_answers_slowly_is_waited_for(
    rig: Rig, seconds: float, refused: int
) -> None:
    """A PubAck that is late is taken. One that is later than 3 seconds counts as refused: what was
    decided is kept in the ledger, and settled, not run, half a minute later. It is stored once.
    """
    server = await rig.server()
    proxy = await rig.proxy(server)
    worker = await rig.ready_worker(servers=[proxy.url])
    proxy.down.slows = lambda data: seconds * (b'{"stream":"GLAM_' in data)
    await rig.publish([Job(id=1, do="reject"), Job(id=2, do="fail", times=1)])
    if refused:

        async def said() -> bool:
            return await worker.metric("settlements_refused_total") == refused

        await until(said, "the worker to have waited long enough", 60)
        proxy.down.slows = lambda _data: 0.0
        assert rig.journal.started() == {1: 1, 2: 1}
    await rig.settled(60)

    assert rig.journal.started() == {1: 1, 2: 2}
    assert len(await rig.letters()) == 1
    assert await worker.metric("settlements_refused_total") == refused


async def test_a_connection_that_breaks_again_and_again_loses_nothing(rig: Rig) -> None:
    """Cut every moment under load: what runs twice was in hand at a cut."""
    server = await rig.server()
    proxy = await rig.proxy(server)
    worker = await rig.ready_worker(servers=[proxy.url])
    await rig.publish(Job(id=number, do="sleep", seconds=0.05) for number in range(600))
    for cuts in range(4):
        await until(partial(more_ended, rig, len(rig.journal.ended()) + 20), "some work")
        proxy.cut()
        await until(partial(connected, proxy, cuts + 2), "a new connection")
    await rig.settled()

    started = rig.journal.started()
    assert len(rig.journal.ended()) == 600
    assert sum(started.values()) - 600 <= 4 * 10, "8 runs and their acks at each cut"
    assert await worker.metric("reconnects_total") >= 4
    assert rig.journal.most_at_once("work", worker.pid) <= 8


def more_ended(rig: Rig, count: int) -> bool:
    """Whether so many jobs have ended."""
    return len(rig.journal.ended()) >= count


def connected(proxy: Proxy, times: int) -> bool:
    """Whether clients have connected so often."""
    return proxy.accepted >= times


async def test_a_slow_network_is_only_slow(rig: Rig) -> None:
    """150 ms each way: no run is repeated, no connection given up."""
    server = await rig.server()
    proxy = await rig.proxy(server)
    proxy.up.delay = proxy.down.delay = 0.15
    worker = await rig.ready_worker(servers=[proxy.url])
    await rig.publish(Job(id=number, do="sleep", seconds=0.02) for number in range(40))
    await rig.publish([Job(id=200, do="fail", times=1), Job(id=201, do="reject")])
    await rig.settled()

    assert rig.journal.started() == {**dict.fromkeys(range(40), 1), 200: 2, 201: 1}
    assert await worker.metric("reconnects_total") == 0
