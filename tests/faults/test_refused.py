"""The broker refuses a letter: the event is settled later, and not run for it."""

from __future__ import annotations

import pytest

from tests.faults.jobs import Job
from tests.faults.rig import Rig
from tests.faults.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(150)]


async def test_a_letter_that_was_refused_is_written_later_without_a_run(rig: Rig) -> None:
    """The dead-letter stream is full; when there is room again, the letter comes, with one run."""
    await rig.server()
    worker = await rig.ready_worker()
    await rig.connect()
    config = (await rig.client.api("STREAM.INFO.GLAM_DLQ"))["config"]
    await rig.client.api("STREAM.UPDATE.GLAM_DLQ", config | {"max_msgs": 1})
    await rig.publish([Job(id=1, do="reject")])
    await rig.settled()
    await rig.publish([Job(id=2, do="reject"), Job(id=3)])

    async def refused() -> bool:
        return await worker.metric("settlements_refused_total") > 0

    await until(refused, "the alarm")
    await until(lambda: 3 in rig.journal.ended(), "another event to be handled")
    assert len(await rig.letters()) == 1
    await rig.client.api("STREAM.UPDATE.GLAM_DLQ", config)
    await rig.settled(60)

    assert len(await rig.letters()) == 2
    assert rig.journal.started() == {1: 1, 2: 1, 3: 1}
