"""A parent and its children, as processes, with a real broker."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from glam_worker.dev.server import EmbeddedServer
from tests.supervisor.running import Service, alive, publish, until

EVENTS = range(200)

_UNTIL_TOLD = "while not pathlib.Path('go').exists():\n        await asyncio.sleep(0.01)"
"""The body of a handler that ends once the test has made the file."""


def _all_handled(service: Service) -> bool:
    return set(service.handled()) >= set(EVENTS)


async def test_a_killed_child_is_replaced_and_nothing_is_lost(service: Service) -> None:
    """
    After kill -9 of a child under load the whole is ready and names it, every event is handled,
    and the counters do not go backwards.
    """
    run = service.run(2)
    first, second = run.await_all_ready()
    await publish(service.server, EVENTS)
    until(lambda: len(service.handled()) > 40, "some are handled")
    counted = run.metric("glam_worker_messages_settled_total", outcome="ack")

    os.kill(first, signal.SIGKILL)

    status, (reason,) = until(lambda: (r := run.readiness())[1] and r, "a child is missing")
    assert status == 200
    assert reason.startswith("process 1")
    assert run.metric("glam_worker_processes", state="running") == 1
    until(lambda: len(run.pids()) == 3, "a third child is started")
    assert run.metric("glam_worker_messages_settled_total", outcome="ack") >= counted > 0
    assert run.await_all_ready() == [second, run.pids()[-1]]
    until(lambda: _all_handled(service), "all events are handled")
    (death,) = run.said("was killed by SIGKILL; it is replaced in 0.5 s")
    assert (death["pid"], death["signal"], death["child"]) == (first, "SIGKILL", 1)


async def test_metrics_of_all_children_are_one_exposition(service: Service) -> None:
    """
    What several children handled stands in one sum; gauges are joined; states are counted.
    """
    run = service.run(3)
    children = run.await_all_ready()

    await publish(service.server, EVENTS)

    until(lambda: _all_handled(service), "all events are handled")
    assert len(service.handlers() & set(children)) >= 2
    until(
        lambda: run.metric("glam_worker_messages_settled_total", outcome="ack") == len(EVENTS),
        "the counter is the number of events",
    )
    assert run.metric("glam_worker_handler_duration_seconds_count") == len(EVENTS)
    assert run.metric("glam_worker_slots", handler="work") == 3 * 8
    assert run.metric("glam_worker_connection_up") == 1
    assert run.metric("glam_worker_build_info") == 1
    assert run.metric("glam_worker_processes", state="running") == 3
    assert run.metric("glam_worker_processes") == 3
    assert run.metric("process_resident_memory_bytes") > 4 * 10e6


def test_children_end_with_a_parent_that_is_killed(service: Service) -> None:
    """
    After kill -9 of the parent its children stop in order, and are gone.
    """
    run = service.run(2)
    children = run.await_all_ready()

    run.signal(signal.SIGKILL)

    until(lambda: not any(map(alive, children)), "the children are gone")
    assert [line["message"] for line in run.lines()].count("stopped") == 2


@pytest.mark.faults
async def test_a_blocked_child_ends_with_its_parent_too(service: Service) -> None:
    """
    A child whose event loop stands is gone once its grace period has passed.
    """
    service.declare(prelude="import time", body="time.sleep(600)")
    run = service.run(2, GLAM_SHUTDOWN_GRACE="1")
    children = run.await_all_ready()
    await publish(service.server, range(1))
    until(lambda: run.metric("glam_worker_slots", state="busy") == 1, "a child is blocked")

    run.signal(signal.SIGKILL)

    until(lambda: not any(map(alive, children)), "the children are gone")


async def test_stopping_under_load_loses_nothing(service: Service) -> None:
    """
    SIGTERM ends with 0 while events are worked; what was not handled is handled by the next run.
    """
    service.declare(body="await asyncio.sleep(0.1)")
    run = service.run(2)
    children = run.await_all_ready()
    await publish(service.server, EVENTS)
    until(lambda: len(service.handled()) > 20, "some are handled")

    run.signal(signal.SIGTERM)

    assert run.code() == 0
    assert not any(map(alive, children))
    assert run.errors == ""
    assert len(service.handled()) < len(EVENTS)
    again = service.run(2)
    again.await_all_ready()
    until(lambda: _all_handled(service), "all events are handled")
    assert sum(service.handled().values()) == len(EVENTS)
    again.signal(signal.SIGINT)
    assert again.code() == 0


async def test_a_signal_to_the_whole_group_is_one_signal(service: Service) -> None:
    """
    A child that is told to stop by the system and by its parent at once still ends what it runs.
    """
    service.declare(body=_UNTIL_TOLD)
    run = service.run(2, GLAM_SHUTDOWN_GRACE="30")
    children = run.await_all_ready()
    await publish(service.server, range(4))
    until(lambda: run.metric("glam_worker_slots", state="busy") == 4, "four events are worked")

    for pid in children:
        os.kill(pid, signal.SIGTERM)
    run.signal(signal.SIGTERM)
    until(lambda: run.readiness()[1] == ["the worker stops"], "the worker stops")
    (service.directory / "go").touch()

    assert run.code() == 0
    assert service.handled() == dict.fromkeys(range(4), 1)


async def test_the_second_signal_means_now(service: Service) -> None:
    """
    The second signal kills the children instead of waiting for what they run.
    """
    service.declare(body="await asyncio.sleep(600)", options=", timeout=600")
    run = service.run(2, GLAM_SHUTDOWN_GRACE="600")
    children = run.await_all_ready()
    await publish(service.server, range(1))
    until(lambda: run.metric("glam_worker_slots", state="busy") == 1, "an event is worked")
    run.signal(signal.SIGTERM)
    until(lambda: run.readiness()[1] == ["the worker stops"], "the worker stops")

    run.signal(signal.SIGTERM)

    assert run.code() == 0
    assert not any(map(alive, children))
    assert service.handled() == {}


@pytest.mark.faults
async def test_a_child_that_stands_still_is_named_and_replaced(service: Service) -> None:
    """
    After SIGSTOP of a child the parent is ready and names it; after ten seconds it is replaced,
    and what it held is handled by others.
    """
    run = service.run(2)
    first, _ = run.await_all_ready()
    await publish(service.server, EVENTS)
    until(lambda: len(service.handled()) > 40, "some are handled")

    os.kill(first, signal.SIGSTOP)

    named = (200, [f"process 1 (pid {first}): does not answer"])
    until(lambda: run.readiness() == named, "the child is named as missing")
    until(lambda: run.said("is killed as hung: it gave no answer for 10 s"), "it is killed")
    assert first not in run.await_all_ready()
    until(lambda: _all_handled(service), "all events are handled")


@pytest.mark.faults
async def test_a_child_whose_loop_is_blocked_is_replaced(service: Service) -> None:
    """
    A handler that blocks the event loop past its timeout costs its process, not the place.
    """
    service.declare(prelude="import time", body="time.sleep(600)", options=", timeout=0.5")
    run = service.run(2)
    run.await_all_ready()

    await publish(service.server, range(1))

    until(lambda: len(run.pids()) > 2, "the blocked child is replaced")
    assert run.said("it is replaced in")
    assert run.readiness()[0] == 200


def test_wrong_declarations_end_with_2_and_are_said_once(service: Service) -> None:
    """
    A module that cannot be worked ends the whole with exit code 2, and the cause is said once.
    """
    service.declare(prelude="@on('dlq.>', Job)\nasync def bad(job: Job) -> None: ...")
    run = service.run(3)

    assert run.code() == 2
    assert run.errors.count("jobs.py") == 1
    assert len(run.pids()) == 1


def test_a_missing_module_ends_with_2(service: Service) -> None:
    """
    A module that is not there ends the whole with exit code 2, and is named once.
    """
    (service.directory / "jobs.py").unlink()
    run = service.run(2)

    assert run.code() == 2
    assert run.errors.count("module 'jobs' is not found") == 1


def test_an_unreachable_server_ends_with_1_and_is_said_once(
    service: Service, broker: EmbeddedServer
) -> None:
    """
    Without a server the whole ends with exit code 1 instead of starting children for ever.
    """
    broker.stop()
    run = service.run(3, GLAM_CONNECT_TIMEOUT="1")

    assert run.code() == 1
    (line,) = run.errors.splitlines()
    assert service.server in line
    assert len(run.pids()) == 1


@pytest.mark.faults
def test_a_server_that_stays_away_ends_with_1_where_that_is_asked_for(
    service: Service, broker: EmbeddedServer
) -> None:
    """
    With GLAM_DISCONNECTED_BUDGET the whole ends with 1 once the last child has given up.
    """
    run = service.run(2, GLAM_DISCONNECTED_BUDGET="1", GLAM_CONNECT_TIMEOUT="1")
    children = run.await_all_ready()

    broker.stop()

    assert run.code() == 1
    assert not any(map(alive, children))


def test_a_busy_port_ends_with_1_before_any_child_is_started(service: Service) -> None:
    """
    A port that is taken is named, and no child was started.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = service.run(2, "--http-port", port)

        assert run.code() == 1
    assert f"127.0.0.1:{port}" in run.errors
    assert run.lines() == []


def test_flags_reach_the_children_and_secrets_stay_out_of_sight(service: Service) -> None:
    """
    Children work under the name of the flag; their command lines hold modules and nothing else.
    """
    run = service.run(2, "--service", "renamed", GLAM_NATS_PASSWORD="hush", GLAM_NATS_USER="me")
    (child, _) = run.await_all_ready()

    command = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
    assert command[1:5] == [b"-m", b"glam_worker", b"run", b"jobs"]
    assert command[5] == b"--channel"
    assert run.metric("glam_worker_build_info", service="renamed") == 1
