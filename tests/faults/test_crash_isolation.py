"""Events that kill their worker, and workers that die for another reason: each has its own fate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest

from glam_worker.testing.streams import StoredMessage, StreamReader
from tests.faults.jobs import ATTEMPTS, Job
from tests.faults.rig import Rig
from tests.faults.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

PILL = 100_000


async def ledger(rig: Rig) -> list[StoredMessage]:
    """What the ledger remembers; of a key that was deleted, nothing."""
    stored = await StreamReader(rig.client, "KV_GLAM_LEDGER").more()
    return [message for message in stored if message.body]


def reasons(letters: Sequence[StoredMessage]) -> list[str]:
    """Why they are dead letters."""
    return [letter.headers["Glam-Reason"] for letter in letters]


@pytest.mark.parametrize("how", ["die", "exit", "segfault"])
async def test_a_pill_among_a_thousand_events(
    rig: Rig, how: Literal["die", "exit", "segfault"]
) -> None:
    """It runs at most attempts + 2 times; all others are handled, and none is dead-lettered."""
    await rig.server()
    await rig.ready_worker("--processes", "2")
    jobs = [Job(id=number, do="sleep", seconds=0.02) for number in range(1000)]
    await rig.publish([*jobs[:300], Job(id=PILL, do=how), *jobs[300:]])
    await until(rig.letters, "the pill to be a dead letter", 120)
    await rig.settled(60)

    letters = await rig.letters()
    assert reasons(letters) == ["crashed"]
    assert letters[0].headers["Glam-Attempts"] == str(ATTEMPTS + 1)
    assert rig.journal.started()[PILL] <= ATTEMPTS + 2
    assert set(rig.journal.ended()) == set(range(1000))
    assert {run.start.attempt for run in rig.journal.runs() if run.start.job != PILL} == {1}
    assert await ledger(rig) == []


async def test_a_pill_alone_has_no_neighbours(rig: Rig) -> None:
    """While it runs for the third time and after, nothing else runs in its process."""
    await rig.server()
    await rig.ready_worker("--processes", "2")
    jobs = [Job(id=number, do="sleep", seconds=0.1) for number in range(400)]
    await rig.publish([Job(id=PILL, do="die"), *jobs])
    await until(rig.letters, "the pill to be a dead letter", 120)
    await rig.settled(60)

    pills = [run.start for run in rig.journal.runs() if run.start.job == PILL]
    cut = [run.start for run in rig.journal.runs() if run.end is None and run.start.job != PILL]
    alone = {pill.pid for pill in pills[2:]}
    assert 3 <= len(pills) <= ATTEMPTS + 2
    assert [start for start in cut if start.pid in alone] == []
    assert reasons(await rig.letters()) == ["crashed"]
    assert max(rig.journal.started()[number] for number in range(400)) <= 1 + len(pills)


async def test_a_kill_with_eighty_events_in_hand_does_not_make_the_next_worker_serial(
    rig: Rig,
) -> None:
    """They run side by side again, each once more."""
    await rig.server()
    first = await rig.ready_worker(FAULTS_CONCURRENCY=80)
    await rig.publish(Job(id=number, do="sleep", seconds=5) for number in range(80))
    await until(lambda: len(rig.journal.running(first.pid)) == 80, "the jobs to run")
    first.kill()
    second = await rig.ready_worker(FAULTS_CONCURRENCY=80)
    await rig.settled(60)

    runs = [run for run in rig.journal.runs() if run.start.pid == second.pid]
    took = max(run.end.at for run in runs if run.end) - min(run.start.at for run in runs)
    assert len(runs) == 80
    assert rig.journal.most_at_once("work", second.pid) > 40
    assert took < 20
    assert await ledger(rig) == []


@pytest.mark.timeout(400)
async def test_twenty_rolling_restarts_burn_no_attempt(rig: Rig) -> None:
    """Each cuts its runs short and hands back a full buffer; every run is attempt 1."""
    await rig.server()
    await rig.prepare()
    await rig.publish(Job(id=number, do="sleep", seconds=30) for number in range(30))
    for _ in range(20):
        worker = rig.worker(GLAM_SHUTDOWN_GRACE=0)
        await until(lambda: len(rig.journal.running(worker.pid)) == 8, "jobs to run")  # noqa: B023
        assert await worker.term() == 0

    assert {run.start.attempt for run in rig.journal.runs()} == {1}
    assert rig.journal.started().total() == 160
    assert await rig.letters() == []
    assert await ledger(rig) == []
