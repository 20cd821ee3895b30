"""The worker's own machine is in trouble: its disk, its clock, its processor, its credentials."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.faults.jobs import Job
from tests.faults.rig import Rig
from tests.faults.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(150)]

SKEW = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *moment) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, moment);
    if (!failed && id == CLOCK_REALTIME) moment->tv_sec += (SECONDS);
    return failed;
}
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
async def test_a_full_disk_under_the_log_costs_no_event(rig: Rig) -> None:
    """Every line it writes fails; handlers, retries and letters go on."""
    await rig.server()
    worker = await rig.ready_worker(out=Path("/dev/full"), GLAM_LOG_LEVEL="DEBUG")
    await rig.publish(Job(id=number) for number in range(100))
    await rig.publish([Job(id=200, do="fail", times=1), Job(id=201, do="reject")])
    await rig.settled()

    assert rig.journal.started() == {**dict.fromkeys(range(100), 1), 200: 2, 201: 1}
    assert len(await rig.letters()) == 1
    assert await worker.term() == 0


@pytest.mark.parametrize("seconds", [-3600, 3600])
async def test_a_wrong_clock_moves_no_retry(rig: Rig, seconds: int) -> None:
    """Delays are the server's time and leases the monotonic clock's: an hour changes nothing."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler, which the wrong clock is made with")
    source, library = rig.folder / "skew.c", rig.folder / "skew.so"
    source.write_text(SKEW.replace("SECONDS", str(seconds)))
    command = ["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    await asyncio.to_thread(subprocess.run, command, check=True)
    await rig.server()
    worker = await rig.ready_worker(LD_PRELOAD=library, FAULTS_FIRST_DELAY=1.0)
    await rig.publish([Job(id=1, do="fail", times=2), Job(id=2, do="sleep", seconds=5)])
    await rig.settled()

    runs = [run.start for run in rig.journal.runs() if run.start.job == 1]
    gaps = [late.at - early.at for early, late in pairwise(runs)]
    assert [run.attempt for run in runs] == [1, 2, 3]
    assert all(0.9 < gap < 5.0 for gap in gaps), gaps
    assert rig.journal.started()[2] == 1
    assert await worker.metric("event_age_seconds_sum") < 60


async def test_a_frozen_worker_settles_nothing_that_is_anothers(rig: Rig) -> None:
    """SIGSTOP for longer than its leases: what it held is run elsewhere; then it works on."""
    await rig.server()
    frozen = await rig.ready_worker(FAULTS_CONCURRENCY=2)
    await rig.publish(Job(id=number, do="sleep", seconds=1.5) for number in range(4))
    await until(lambda: len(rig.journal.running(frozen.pid)) == 2, "jobs to run")
    frozen.signal(signal.SIGSTOP)
    other = await rig.ready_worker()
    await until(lambda: len(rig.journal.ended()) == 4, "the other to run them")
    frozen.signal(signal.SIGCONT)
    await frozen.is_ready()
    await rig.publish(Job(id=number, do="sleep", seconds=0.2) for number in range(100, 160))
    await rig.settled()

    started = rig.journal.started()
    assert {number for number, count in started.items() if count > 1} <= set(range(4))
    assert max(started.values()) == 2
    pids = {run.start.pid for run in rig.journal.runs() if run.start.job >= 100}
    assert pids == {frozen.pid, other.pid}


async def test_a_busy_handler_shows_in_the_loops_lag(rig: Rig) -> None:
    """It burns the processor on the event loop for longer than ``ack_wait``: said, and run once."""
    await rig.server()
    worker = await rig.ready_worker()
    other = await rig.ready_worker()
    await rig.publish([Job(id=1, do="spin", seconds=5)])

    async def lags() -> bool:
        lag = [await each.metric("event_loop_lag_seconds") for each in (worker, other)]
        return max(lag) > 1.0

    await until(lags, "the lag to show")
    assert rig.journal.running()
    await rig.settled()

    assert rig.journal.started() == {1: 1}


async def test_credentials_that_are_revoked_and_given_back(rig: Rig) -> None:
    """Not ready, with the reason, for as long as the server refuses it; then it works on."""
    ours = {"user": "tests", "password": "t"}
    theirs = {"user": "worker", "password": "w"}
    server = await rig.server(authorization={"users": [ours, theirs]})
    address = server.url.removeprefix("nats://")
    rig.servers = [f"nats://tests:t@{address}"]
    worker = await rig.ready_worker(servers=[f"nats://worker:w@{address}"])
    await rig.publish([Job(id=1)])
    await rig.settled()

    server.reload(authorization={"users": [ours]})
    reason = await worker.is_unready("uthoriz")
    await rig.publish([Job(id=2)])
    server.reload(authorization={"users": [ours, theirs]})
    back = time.monotonic()
    await worker.is_ready()
    await rig.settled()

    assert "worker:w" not in reason
    assert time.monotonic() - back < 30
    assert rig.journal.started() == {1: 1, 2: 1}


async def test_runs_that_block_the_loop_one_after_the_other_run_once(rig: Rig) -> None:
    """Each blocks for most of ack_wait; leases are kept while the loop is made sure of, in between.

    Two workers: what one of them loses, the other runs again.
    """
    await rig.server()
    await rig.prepare()
    for _ in range(2):
        await rig.ready_worker(FAULTS_ACK_WAIT=1)
    async with asyncio.timeout(120):
        for batch in range(8):
            jobs = [Job(id=6 * batch + each, do="block", seconds=0.7) for each in range(6)]
            await rig.publish(jobs)
            while rig.journal.ended().total() < 6 * batch + 3:  # some are in hand when others come
                await asyncio.sleep(0.02)
    await rig.settled()

    assert set(rig.journal.ended().values()) == {1}
    assert set(rig.journal.started().values()) == {1}
