"""What a durable does under load, or when somebody else uses it."""

from __future__ import annotations

import json

import pytest

from tests.faults.jobs import SERVICE, SUBJECT, Job
from tests.faults.rig import Rig
from tests.faults.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(150)]


async def test_a_backlog_is_not_asked_for_before_it_can_be_held(rig: Rig) -> None:
    """Slow handlers and thousands of events: no more in hand than there are credits.

    The server counts an ack a moment after we have asked for more.
    """
    await rig.server()
    await rig.prepare()
    await rig.publish(Job(id=number, do="sleep", seconds=0.02) for number in range(1000))
    worker = await rig.ready_worker()
    most = 0
    while len(rig.journal.ended()) < 1000:
        most = max(most, (await rig.consumer())["num_ack_pending"])
    await rig.settled()

    assert 8 <= most <= 2 * (8 + 2)
    assert rig.journal.most_at_once("work", worker.pid) == 8
    assert set(rig.journal.started().values()) == {1}


async def test_a_retry_comes_later_than_what_followed_it(rig: Rig) -> None:
    """Order is not kept over a failure: the rest does not wait for the one that failed."""
    await rig.server()
    await rig.ready_worker(FAULTS_CONCURRENCY=1)
    await rig.publish([Job(id=1, do="fail", times=1), Job(id=2), Job(id=3)])
    await rig.settled()

    ends = [line.job for line in rig.journal.lines() if line.what == "ok"]
    assert ends == [2, 3, 1]


async def test_requests_of_others_delay_and_do_not_stop_it(rig: Rig) -> None:
    """A durable that takes one request, used up by an orphan: silence, said, and survived."""
    await rig.server()
    client = await rig.connect()
    await client.api(
        "STREAM.CREATE.GLAM_EVENTS", {"name": "GLAM_EVENTS", "subjects": ["evt.>", "cmd.>"]}
    )
    durable = f"{SERVICE}-work"
    metadata = {"glam.service": SERVICE, "glam.handler": "work", "glam.way": "main"}
    config = {
        "durable_name": durable,
        "filter_subject": SUBJECT,
        "ack_policy": "explicit",
        "ack_wait": 2_000_000_000,
        "max_deliver": -1,
        "max_ack_pending": -1,
        "max_waiting": 1,
        "metadata": metadata,
    }
    await client.api(
        f"CONSUMER.CREATE.GLAM_EVENTS.{durable}",
        {"stream_name": "GLAM_EVENTS", "config": config, "action": "create"},
    )
    inbox = client.client.new_inbox()
    await client.client.subscribe(inbox)
    orphan = {"batch": 1, "expires": 14_000_000_000}
    subject = f"$JS.API.CONSUMER.MSG.NEXT.GLAM_EVENTS.{durable}"
    await client.client.publish(subject, json.dumps(orphan).encode(), reply=inbox)

    async def waits() -> bool:
        return int((await rig.consumer())["num_waiting"]) == 1

    await until(waits, "the orphan to wait")
    worker = await rig.ready_worker()
    reason = await worker.is_unready(durable, within=40)
    await worker.is_ready()
    await rig.publish([Job(id=1), Job(id=2)])
    await rig.settled(60)

    assert "heartbeat" in reason
    assert rig.journal.ended() == {1: 1, 2: 1}
