"""The server's storage is full, or is taken from us: what was acknowledged is still worked."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from glam_shared.messaging import EventEnvelope
from glam_shared.messaging.broker_errors import PublishFailed
from tests.faults.jobs import SUBJECT, Job
from tests.faults.rig import Rig
from tests.faults.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(150)]

PADDING = "x" * 30_000


async def publish_padded(rig: Rig, number: int, padding: str = PADDING) -> bool:
    """Publish a large event; whether the stream took it."""
    envelope = EventEnvelope.create(SUBJECT, {"id": number, "pad": padding}, source_service="tests")
    try:
        await rig.client.publish_acked(
            SUBJECT, envelope.to_bytes(), {}, msg_id=envelope.event_id, timeout=1.0, budget=1.0
        )
    except PublishFailed:
        return False
    return True


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB; it takes root to make one."""
    folder = tmp_path / "nats0"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(folder)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        pytest.skip("no file system can be mounted here: it takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_costs_new_events_only(rig: Rig, small_disk: Path) -> None:
    """Publishers get no PubAck; what was acknowledged is handled, after a crash as well."""
    server = await rig.server(jetstream={"max_file_store": 1 << 30})
    env = {"GLAM_DLQ_MAX_BYTES": 1 << 20}
    worker = await rig.ready_worker(**env)
    await rig.connect()
    taken: set[int] = set()
    for number in range(400):
        if not await publish_padded(rig, number):
            break
        taken.add(number)
    else:
        pytest.fail("the disk is not full")
    await until(lambda: set(rig.journal.ended()) >= taken, "what was acknowledged to be handled")
    await asyncio.to_thread(server.kill)
    resize = ["mount", "-o", "remount,size=60m", str(small_disk)]
    await asyncio.to_thread(subprocess.run, resize, check=True)
    await asyncio.to_thread(server.start)
    await worker.is_ready()
    assert await publish_padded(rig, 1000)
    await until(lambda: 1000 in rig.journal.ended(), "a new event to be handled")
    await rig.settled()


async def test_an_account_without_storage_left_is_worked_on(rig: Rig) -> None:
    """The stream refuses new events; what it has is handled, and failures are not lost."""
    await rig.server(jetstream={"max_file_store": 3_000_000})
    worker = await rig.ready_worker(GLAM_DLQ_MAX_BYTES=1_000_000)
    await rig.publish([Job(id=5000, do="sleep", seconds=2), Job(id=5001, do="sleep", seconds=2)])
    taken = set()
    for number in range(200):
        if not await publish_padded(rig, number):
            break
        taken.add(number)
    else:
        pytest.fail("the account has storage left")
    await until(lambda: set(rig.journal.ended()) >= taken | {5000, 5001}, "all to be handled")
    await rig.settled()

    assert set(rig.journal.started().values()) == {1}
    assert not await worker.not_ready()


async def test_an_event_as_large_as_the_server_allows_comes_through(rig: Rig) -> None:
    """A pull request leaves room for it: the consumer does not stand still before it."""
    await rig.server(max_payload=65_536)
    await rig.ready_worker()
    await rig.connect()
    assert await publish_padded(rig, 1, "x" * 65_000)
    assert not await publish_padded(rig, 2, "x" * 65_536)
    await rig.publish([Job(id=3)])
    await rig.settled()

    assert rig.journal.ended() == {1: 1, 3: 1}


async def test_a_stream_that_drops_what_is_in_hand_stops_nobody(rig: Rig) -> None:
    """``max_age`` removes events unhandled: that is the stream's policy; the rest is worked."""
    await rig.server()
    worker = await rig.ready_worker(FAULTS_CONCURRENCY=1)
    await rig.publish([Job(id=number, do="sleep", seconds=3) for number in range(12)])
    await until(rig.journal.running, "a job to run")
    config = (await rig.client.api("STREAM.INFO.GLAM_EVENTS"))["config"]
    short = {"max_age": 1_000_000_000, "duplicate_window": 1_000_000_000}
    await rig.client.api("STREAM.UPDATE.GLAM_EVENTS", config | short)

    async def empty() -> bool:
        info = await rig.client.api("STREAM.INFO.GLAM_EVENTS")
        return not info["state"]["messages"]

    await until(empty, "the stream to be empty")
    await rig.client.api("STREAM.UPDATE.GLAM_EVENTS", config)
    await rig.publish([Job(id=100)])
    await until(lambda: 100 in rig.journal.ended(), "a new event to be handled")
    await rig.settled()

    assert not await worker.not_ready()
    assert set(rig.journal.started().values()) == {1}
