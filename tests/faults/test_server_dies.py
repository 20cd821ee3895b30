"""The one server there is goes away and comes back: nothing is lost, and little runs twice."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.faults.jobs import Job
from tests.faults.rig import Rig
from tests.faults.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(150)]


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_server_that_restarts_under_load_loses_nothing(rig: Rig, how: str) -> None:
    """What runs goes on and is acked late; the worker is back within seconds.

    What runs twice was in hand, or acked in the last tenth of a second, which a killed server
    forgets.
    """
    server = await rig.server()
    worker = await rig.ready_worker()
    await rig.publish(Job(id=number, do="sleep", seconds=0.1) for number in range(400))
    await until(lambda: len(rig.journal.ended()) > 100, "a part to be done")

    await asyncio.to_thread(getattr(server, how))
    done = set(rig.journal.ended())
    await worker.is_unready("")
    await asyncio.to_thread(server.start)
    back = time.monotonic()
    await until(lambda: set(rig.journal.ended()) - done, "it to go on")
    await worker.is_ready()
    away = time.monotonic() - back
    await rig.settled()

    started = rig.journal.started()
    extra = sum(started.values()) - 400
    assert len(rig.journal.ended()) == 400
    assert extra <= (8 if how == "stop" else 40), "8 at once, and their acks"
    assert max(started.values()) <= 2
    assert away < 10
    assert await worker.metric("reconnects_total") >= 1


async def test_what_is_parked_outlives_a_killed_server(rig: Rig) -> None:
    """Retries that fall due while the server is down are run when it is back, none twice."""
    server = await rig.server()
    worker = await rig.ready_worker(FAULTS_FIRST_DELAY=1.5)
    await rig.publish(Job(id=number, do="fail", times=1) for number in range(200))
    await until(lambda: len(rig.journal.ended("RuntimeError")) == 200, "all to fail")
    await until(lambda: worker_parked(rig), "all to be parked")

    await asyncio.to_thread(server.kill)
    await worker.is_unready("")
    await asyncio.to_thread(server.start)
    await rig.settled()

    started = rig.journal.started()
    assert len(rig.journal.ended()) == 200
    assert sum(started.values()) <= 400 + 150, "beside acks that the server had not written"


async def worker_parked(rig: Rig) -> bool:
    """Whether nothing of the events' durable is in hand any more."""
    info = await rig.consumer()
    return not info["num_ack_pending"] and not info["num_pending"]


async def test_a_server_that_hangs_is_noticed_within_15_seconds(rig: Rig) -> None:
    """Nothing is answered, and no socket closes; when it goes on, so does the worker."""
    server = await rig.server()
    worker = await rig.ready_worker()
    await rig.publish([Job(id=1)])
    await rig.settled()

    server.freeze()
    frozen = time.monotonic()
    await worker.is_unready("", within=25)
    noticed = time.monotonic() - frozen
    server.thaw()
    await worker.is_ready()
    await rig.publish([Job(id=2)])
    await rig.settled()

    assert noticed <= 16
    assert rig.journal.started() == {1: 1, 2: 1}
