"""The end of ``glam-worker run``: in time and with its code, whatever handlers leave behind."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glam_worker.dev.server import EmbeddedServer
from tests.cli.command import Running, glam, running
from tests.dev.waiting import until

LEAVES = """\
import asyncio
import atexit
import contextlib
import multiprocessing
import os
import sys
import threading
import time

from pydantic import BaseModel

from glam_worker import on

kept = set()
atexit.register(print, "a hook of atexit ran", flush=True)


class Order(BaseModel):
    id: str


async def stay() -> None:
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(1000)


def cancel_others() -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


@on("evt.order.placed.v1", Order, timeout=TIMEOUT)
async def leave(order: Order) -> None:
    print("runs", order.id, flush=True)
    match order.id:
        case "call":
            await asyncio.to_thread(time.sleep, 1000)
        case "task":
            kept.add(asyncio.create_task(stay()))
            await asyncio.sleep(0)
        case "thread":
            threading.Thread(target=time.sleep, args=(1000,), name="mine").start()
        case "block":
            time.sleep(1000)
        case "stop the loop":
            asyncio.get_running_loop().stop()
            await asyncio.sleep(1)
        case "cancel all others":
            cancel_others()
            await asyncio.sleep(1)
        case "fork":
            if os.fork() == 0:
                sys.exit(0)
    print("ran", order.id, flush=True)


@on("evt.order.forked.v1", Order)
def fork(order: Order) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=wait, args=(ready,))
    process.start()
    ready.wait()
    process.terminate()
    process.join()
    print("it ended with", process.exitcode, flush=True)


def wait(ready) -> None:
    ready.set()
    time.sleep(1000)
"""

LIFESPAN = """
from glam_worker import lifespan

@lifespan
async def database():
    yield
    {end}
"""


@contextmanager
def at_work(
    project: Path,
    *server: str,
    timeout: float = 30.0,
    more: str = "",
    **env: str,
) -> Iterator[Running]:
    """A worker of the handlers above, on a server of its own if none is named."""
    handlers = LEAVES.replace("TIMEOUT", f"{timeout:g}") + more
    (project / "shop" / "handlers.py").write_text(handlers)
    command = ("run", "shop.handlers", *(server or ("--embedded",)))
    settings = {"GLAM_SHUTDOWN_GRACE": "1", "GLAM_HTTP_PORT": "0", "GLAM_LOG_FORMAT": "text"} | env
    with running(*command, cwd=project, env=settings) as worker:
        worker.says("working 2 handlers")
        yield worker


def order(worker: Running, project: Path, do: str, subject: str = "evt.order.placed.v1") -> None:
    """Publish an event that asks for it."""
    publish(worker.server, project, do, subject)


def publish(server: str, project: Path, do: str, subject: str = "evt.order.placed.v1") -> None:
    """The same on the named server."""
    data = f'{{"id": "{do}"}}'
    ended = glam("publish", subject, "--data", data, "--servers", server, cwd=project)
    assert ended.code == 0, ended.err


def signalled(worker: Running) -> bool:
    """Whether it has ended; if not, it is signalled once more: two signals at once may be one."""
    worker.process.send_signal(signal.SIGTERM)
    return worker.process.poll() is not None


@pytest.mark.parametrize(
    ("do", "left"),
    [("call", "thread "), ("task", "task stay (at shop/handlers.py:"), ("thread", "thread mine")],
)
def test_what_a_handler_left_behind_keeps_no_process(project: Path, do: str, left: str) -> None:
    """A call in a thread, a task that takes no cancellation, a thread: named, and left; exit 0."""
    with at_work(project, timeout=0.5 if do == "call" else 30.0) as worker:
        order(worker, project, do)
        worker.says("runs longer than its timeout" if do == "call" else f"ran {do}")
        told = time.monotonic()
        assert worker.stop() == 0
        assert time.monotonic() - told < 8
    warning = f"left what did not end: {left}"
    assert worker.said.index(" stopped") < worker.said.index(warning)
    assert worker.said.rstrip().endswith("the process ends with exit code 0")


def test_a_process_without_leftovers_ends_in_the_ordinary_way(project: Path) -> None:
    """Hooks of ``atexit`` run, and nothing is said to be left."""
    with at_work(project) as worker:
        order(worker, project, "nothing")
        worker.says("ran nothing")
        assert worker.stop() == 0
    assert "a hook of atexit ran" in worker.said
    assert "left what did not end" not in worker.said


def test_a_signal_ends_a_process_that_only_waits_for_leftovers(project: Path) -> None:
    """Once it has said that it stopped, the next signal ends it at once, with its code."""
    with at_work(project) as worker:
        order(worker, project, "thread")
        worker.says("ran thread")
        worker.process.send_signal(signal.SIGTERM)
        worker.says("stopped")
        until(lambda: signalled(worker), "it ends")
        assert worker.ends() == 0
    assert "left what did not end" not in worker.said


def test_a_disconnected_budget_ends_the_process_whatever_is_left(project: Path) -> None:
    """GLAM_DISCONNECTED_BUDGET used up means exit 1, also with a task that does not end."""
    with EmbeddedServer(project / "store") as server:
        servers = ("--servers", server.url)
        with at_work(project, *servers, GLAM_DISCONNECTED_BUDGET="0.5") as worker:
            publish(server.url, project, "task")
            worker.says("ran task")
            server.kill()
            worker.says("GLAM_DISCONNECTED_BUDGET")
            assert worker.ends() == 1
    assert "left what did not end: task stay" in worker.said


def test_the_second_signal_ends_a_process_that_a_handler_blocks(project: Path) -> None:
    """Within some seconds, without waiting for the handler; it is said where it stands."""
    with at_work(project, timeout=600, GLAM_SHUTDOWN_GRACE="600") as worker:
        order(worker, project, "block")
        worker.says("runs block")
        told = time.monotonic()
        until(lambda: signalled(worker), "it ends")
        assert worker.ends() == 0
        assert time.monotonic() - told < 8
    assert "not stopped in time: the event loop's thread is at shop/handlers.py:" in worker.said


@pytest.mark.parametrize(
    ("do", "said"),
    [
        ("stop the loop", "a handler stopped the event loop: the process ends"),
        ("cancel all others", "a handler cancelled tasks that are not its own: the process ends"),
    ],
)
def test_a_handler_that_ends_the_runtime_ends_the_process(
    project: Path, do: str, said: str
) -> None:
    """No process stays that works nothing: it says what happened, and exits with 1."""
    with at_work(project) as worker:
        order(worker, project, do)
        worker.says(said)
        assert worker.ends() == 1
    assert f"CRITICAL {said}" in " ".join(worker.said.split())
    assert "Traceback" not in worker.said


def test_a_signal_to_a_forked_process_is_not_the_workers(project: Path) -> None:
    """``multiprocessing`` may terminate what it forked; the worker works on."""
    with at_work(project) as worker:
        order(worker, project, "o1", "evt.order.forked.v1")
        worker.says("it ended with -15")
        order(worker, project, "o2", "evt.order.forked.v1")
        worker.says("it ended with -15", times=2)
        assert "stopping" not in worker.said
        assert worker.stop() == 0


def test_a_forked_process_that_comes_back_is_no_second_worker(project: Path) -> None:
    """The child of ``os.fork`` that leaves an ``async def`` handler ends; the worker works on."""
    with at_work(project) as worker:
        order(worker, project, "fork")
        worker.says("a process that a handler forked came back from it, and ends")
        order(worker, project, "after")
        worker.says("ran after")
        assert worker.stop() == 0


def test_a_lifespan_that_fails_at_the_end_is_told_as_the_users_own_error(project: Path) -> None:
    """The rest is closed and said to be; where it is, what it raised, its traceback; exit 1."""
    more = LIFESPAN.format(end='raise ConnectionError("no database")')
    with at_work(project, more=more) as worker:
        assert worker.stop() == 1
    assert "stopped" in worker.said
    assert 'raise ConnectionError("no database")' in worker.said
    assert "glam_worker/" not in worker.said
    assert "the lifespan raised ConnectionError when it was left: no database" in worker.said


def test_a_lifespan_that_hangs_at_the_end_is_cut_short(project: Path) -> None:
    """It has what is left of the grace period, three seconds at least; it is named; exit 0."""
    with at_work(project, more=LIFESPAN.format(end="await asyncio.sleep(1000)")) as worker:
        assert worker.stop() == 0
    assert "shop/handlers.py:" in worker.said
    assert "the lifespan was cancelled: it took longer than 3 s to end" in worker.said
    assert worker.said.index("the lifespan was cancelled") < worker.said.index(" stopped")
