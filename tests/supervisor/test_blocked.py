"""Handlers that block their process, with two processes at work."""

from __future__ import annotations

import pytest

from tests.supervisor.running import Service, publish, until

BLOCKING = "import time; time.sleep({seconds}) if job.id == 0 else None"


@pytest.mark.faults
async def test_a_handler_that_sleeps_for_two_leases_runs_once(service: Service) -> None:
    """
    ``time.sleep`` for twice ``ack_wait`` in an ``async def``: one worker runs it, once, although
    another one is idle; the log and the metric tell of it.
    """
    service.declare(body=BLOCKING.format(seconds=5))
    run = service.run(2)
    run.await_all_ready()

    await publish(service.server, range(1))

    until(lambda: run.metric("glam_worker_event_loop_lag_seconds") > 1, "the lag shows")
    until(lambda: service.handled()[0], "the event is handled")
    await publish(service.server, range(1, 40))
    until(lambda: len(service.handled()) == 40, "all others are handled")
    assert set(service.handled().values()) == {1}
    blocked = [line for line in run.lines() if line["message"].startswith("event loop blocked")]
    assert [line["handler"] for line in blocked] == ["work"]
    assert run.metric("glam_worker_redelivered_total") == 0


async def test_a_process_that_is_blocked_past_the_timeout_ends_itself(service: Service) -> None:
    """
    It ends with 70 and the stacks of its threads on stderr, is replaced, and the event that was
    in its hands is handled by another process.
    """
    service.declare(
        body="import time, os, pathlib; first = pathlib.Path('first');\n"
        "    if not first.exists():\n"
        "        first.touch(); time.sleep(60)",
        options=", timeout=1.0",
    )
    run = service.run(2)
    run.await_all_ready()

    await publish(service.server, range(1))

    (death,) = until(lambda: run.said("ended with exit code 70"), "a child ends itself")
    assert death["exit_code"] == 70
    assert "time.sleep(60)" in (service.directory / "jobs.py").read_text()
    assert "by work, at service/jobs.py:" in run.errors
    assert "longer than its timeout of 1 s" in run.errors
    assert 'jobs.py", line' in run.errors
    until(lambda: service.handled()[0], "the event is handled")
    assert run.await_all_ready()
    assert service.handled() == {0: 1}
