"""Several worker processes of one service: who tells the levels."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from glam_worker.jetstream.turn import LIFE
from glam_worker.testing import TenantServer
from tests.supervisor.running import Run, Service, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


@pytest.fixture
def service(tmp_path: Path, nats_server: TenantServer) -> Iterator[Service]:
    """A service whose worker processes the test starts."""
    made = Service(tmp_path, nats_server.fresh_url())
    yield made
    for run in made.runs:
        run.end()


def telling(runs: list[Run]) -> list[Run]:
    """Those of the processes that have levels to tell."""
    return [run for run in runs if "\nglam_worker_consumer_pending{" in run.get("/metrics")[1]]


def test_a_killed_worker_is_replaced_as_the_one_that_asks(service: Service) -> None:
    """One of three tells the levels; it is killed, and within seconds one of the others does."""
    runs = [service.run(processes=1) for _ in range(3)]
    for run in runs:
        run.await_all_ready()
    (first,) = until(lambda: telling(runs), "one process tells the levels")

    first.signal(signal.SIGKILL)
    first.code()
    others = [run for run in runs if run is not first]
    (second,) = until(lambda: telling(others), "another process tells them", LIFE + 30)

    assert second is not first
    assert len(telling(others)) == 1
