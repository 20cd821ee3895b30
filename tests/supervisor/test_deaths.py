"""Handlers that end their process, from the first event of the first child on."""

from __future__ import annotations

import signal

import pytest

from tests.supervisor.running import Service, publish, until


@pytest.mark.parametrize("code", ["1", "2"])
async def test_a_handler_that_ends_its_process_costs_the_process_only(
    service: Service, code: str
) -> None:
    """
    ``os._exit`` in a handler is a death like any other, whatever its code, from the first event
    of the first child on: the child is replaced, all others are handled.
    """
    service.declare(
        body=f"os._exit({code}) if job.id == 0 else None",
        options=", retry=RetryPolicy(attempts=1)",
        prelude="from glam_worker import RetryPolicy",
    )
    run = service.run(2)
    run.await_all_ready()
    run.signal(signal.SIGTERM)
    assert run.code() == 0
    await publish(service.server, range(20))

    again = service.run(2, GLAM_DISCONNECTED_BUDGET="60")

    until(lambda: again.said(f"ended with exit code {code}; it is replaced"), "a child dies")
    until(lambda: set(service.handled()) == set(range(1, 20)), "all others are handled")
    again.await_all_ready()
    assert not again.said("it is not replaced")
    again.signal(signal.SIGTERM)
    assert again.code() == 0
