"""SIGTERM in the middle of the work: others have what did not start at once, and it ends with 0."""

from __future__ import annotations

import signal
import time
from functools import partial
from typing import Any

import pytest

from tests.faults.jobs import Job
from tests.faults.rig import Rig
from tests.faults.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(150)]


async def test_what_did_not_start_goes_to_others_at_once(rig: Rig) -> None:
    """Long before ``ack_wait``; what runs is finished; nothing runs twice; exit code 0."""
    await rig.server()
    old = await rig.ready_worker(FAULTS_ACK_WAIT=60)
    new = await rig.ready_worker(FAULTS_ACK_WAIT=60)
    await rig.publish(Job(id=number, do="sleep", seconds=0.3) for number in range(100))
    await until(lambda: rig.journal.running(old.pid), "jobs to run")

    assert await old.term() == 0
    stopped = time.monotonic()
    await rig.settled()

    runs = rig.journal.runs()
    assert set(rig.journal.started().values()) == {1}
    assert len(rig.journal.ended()) == 100
    assert {run.start.pid for run in runs} == {old.pid, new.pid}
    assert time.monotonic() - stopped < 30, "some of it waited for its ack_wait of 60 s"


async def test_a_run_that_does_not_end_is_left_to_its_lease(rig: Rig) -> None:
    """It is not handed back, since it may go on; another has it after ``ack_wait``; exit code 0."""
    await rig.server()
    old = await rig.ready_worker(GLAM_SHUTDOWN_GRACE=0.5)
    await rig.publish([Job(id=1, do="hang", seconds=60)])
    await until(lambda: rig.journal.running(old.pid), "the job to run")
    new = await rig.ready_worker()

    assert await old.term() == 0
    ended = time.monotonic()
    assert not rig.journal.running(new.pid)
    await until(lambda: rig.journal.running(new.pid), "another to have it")

    second = rig.journal.runs()[1].start
    assert second.at >= ended, "two runs of it at once"
    assert rig.journal.started()[1] == 2


async def test_the_second_signal_means_now(rig: Rig) -> None:
    """It does not wait for the grace period; what ran goes to another after ``ack_wait``."""
    await rig.server()
    old = await rig.ready_worker(GLAM_SHUTDOWN_GRACE=60)
    await rig.publish([Job(id=1, do="sleep", seconds=20)])
    await until(lambda: rig.journal.running(old.pid), "the job to run")

    old.signal(signal.SIGTERM)
    await until(lambda: old.said("stopping:"), "it to stop")
    told = time.monotonic()
    assert await old.term() == 0
    assert time.monotonic() - told < 5

    new = await rig.ready_worker()
    await until(lambda: rig.journal.running(new.pid), "another to have it")


@pytest.mark.parametrize("flags", [(), ("--processes", "2")], ids=["alone", "children"])
async def test_the_second_signal_costs_a_run_alone_no_attempt(
    rig: Rig, flags: tuple[str, ...]
) -> None:
    """Its start is struck out before the process ends: with one attempt, it still has it."""
    await rig.server()
    env: dict[str, Any] = {"FAULTS_ATTEMPTS": 1, "GLAM_SHUTDOWN_GRACE": 60}
    await rig.prepare()
    await rig.publish([Job(id=1, do="sleep", seconds=8)])
    for _ in range(2):
        dying = rig.worker(**env)
        await until(partial(rig.journal.running, dying.pid), "the job to run")
        dying.kill()
    old = rig.worker(*flags, **env)
    await until(lambda: old.said("runs alone"), "the job to run alone")
    await until(lambda: len(rig.journal.runs()) == 3, "the job to run")

    old.signal(signal.SIGTERM)
    await until(lambda: old.said("stopping"), "it to stop")
    told = time.monotonic()
    assert await old.term() == 0
    assert time.monotonic() - told < 5
    assert not rig.journal.runs()[2].end

    await rig.ready_worker(**env)
    await rig.settled()
    assert await rig.letters() == []
    assert rig.journal.ended() == {1: 1}
