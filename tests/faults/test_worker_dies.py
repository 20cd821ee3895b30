"""A worker that is killed: what it had in hand goes to others, and nothing else runs twice."""

from __future__ import annotations

import time

import pytest

from tests.faults.jobs import ACK_WAIT, SUBJECT, THREADED, Job
from tests.faults.rig import Rig
from tests.faults.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(150)]


async def test_what_a_killed_worker_had_in_hand_is_run_by_another(rig: Rig) -> None:
    """Within ``ack_wait`` and a heartbeat or so; nothing else runs twice."""
    await rig.server()
    first = await rig.ready_worker(FAULTS_CONCURRENCY=4)
    await rig.publish(Job(id=number, do="sleep", seconds=60) for number in range(4))
    await until(lambda: len(rig.journal.running(first.pid)) == 4, "the jobs to run")
    second = await rig.ready_worker()
    await rig.publish(Job(id=number) for number in range(100, 120))

    first.kill()
    killed = time.monotonic()
    await until(lambda: rig.journal.running(second.pid) == {0, 1, 2, 3}, "another to run them")
    taken = time.monotonic() - killed
    await until(lambda: len(rig.journal.ended()) == 20, "what waited in the first one")

    started = rig.journal.started()
    assert {number for number, count in started.items() if count > 1} == {0, 1, 2, 3}
    assert max(started.values()) == 2
    assert taken < ACK_WAIT + 5.0


@pytest.mark.parametrize(
    ("point", "job", "delay", "runs"),
    [
        ("after_handler_before_ack", Job(id=1), 0.3, 2),
        ("after_park_before_ack", Job(id=1, do="fail", times=1), 0.3, 3),
        ("after_park_before_ack", Job(id=1, do="fail", times=1), 9.0, 2),
        ("after_dlq_before_ack", Job(id=1, do="reject"), 0.3, 2),
        ("before_pull", Job(id=1), 0.3, 1),
    ],
)
async def test_a_crash_between_two_steps_costs_one_extra_run(
    rig: Rig, point: str, job: Job, delay: float, runs: int
) -> None:
    """Whichever two steps they are; no event is lost, and no letter or retry is there twice.

    Of a retry that still waits for its time there is none.
    """
    await rig.server()
    await rig.prepare()
    await rig.publish([job])
    dying = rig.worker(GLAM_FAILPOINT=point, FAULTS_FIRST_DELAY=delay)
    assert await dying.code() == -9
    await rig.ready_worker(FAULTS_FIRST_DELAY=delay)
    await rig.settled()

    assert rig.journal.started()[1] == runs
    letters = await rig.letters()
    assert len(letters) == (1 if job.do == "reject" else 0)
    assert rig.journal.ended()[1] == {"nothing": runs, "fail": 1, "reject": 0}[job.do]


@pytest.mark.parametrize("subject", [SUBJECT, THREADED], ids=["async def", "def"])
@pytest.mark.parametrize("published", [1, 2])
async def test_a_crash_after_publishing_emits_nothing_twice(
    rig: Rig, subject: str, published: int
) -> None:
    """Killed after its first, or its last, of two equal events: the second run's are the same."""
    await rig.server()
    await rig.prepare()
    await rig.publish([Job(id=1, do="emit")], subject)
    dying = rig.worker(GLAM_FAILPOINT=f"after_emission_before_ack:{published}")
    assert await dying.code() == -9
    before = await rig.emitted()
    await rig.ready_worker()
    await rig.settled()
    after = await rig.emitted()

    assert rig.journal.started()[1] == 2
    assert len(before) == published
    assert len(after) == 2
    assert after[:published] == before


async def test_a_crash_while_stopping_loses_nothing(rig: Rig) -> None:
    """Killed after its inboxes are closed, before what waits is handed back: it lapses."""
    await rig.server()
    dying = await rig.ready_worker(GLAM_FAILPOINT="in_shutdown", FAULTS_CONCURRENCY=2)
    await rig.publish(Job(id=number, do="sleep", seconds=1) for number in range(10))
    await until(lambda: len(rig.journal.running(dying.pid)) == 2, "jobs to run")
    assert await dying.term() == -9
    in_hand = rig.journal.running(dying.pid)
    await rig.ready_worker()
    await rig.settled()

    started, ended = rig.journal.started(), rig.journal.ended()
    assert set(ended) == set(range(10))
    assert {number for number, count in started.items() if count > 1} == in_hand


async def test_two_workers_run_nothing_twice(rig: Rig) -> None:
    """In normal operation, each event is run once, whichever process it goes to."""
    await rig.server()
    workers = [await rig.ready_worker() for _ in range(2)]
    await rig.publish(Job(id=number, do="sleep", seconds=0.005) for number in range(1500))
    await rig.publish((Job(id=number) for number in range(2000, 2100)), THREADED)
    await rig.settled()

    assert set(rig.journal.started().values()) == {1}
    assert len(rig.journal.ended()) == 1600
    assert {run.start.pid for run in rig.journal.runs()} == {worker.pid for worker in workers}
    for worker in workers:
        assert rig.journal.most_at_once("work", worker.pid) <= 8
        assert await worker.term() == 0
