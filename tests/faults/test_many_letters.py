"""Very many dead letters: replayed over a kill, and listed in bounded memory."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from glam_shared.messaging import JetStreamClient
from glam_worker.testing import Registry, WorkerFactory
from tests.cli.command import COMMAND, environment
from tests.faults.waiting import until
from tests.operate.letter_writing import Letters, letter

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

REPLAYED = 10_000
LISTED = 100_000
HANDLERS = tuple(f"handler{number}" for number in range(10))


class Order(BaseModel):
    id: int


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[JetStreamClient]:
    async with JetStreamClient() as client:
        await client.connect(nats_url)
        yield client


def dlq(nats_url: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "dlq", *arguments, "--servers", nats_url],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_a_replay_that_is_killed_half_way_and_repeated_runs_each_event_once(
    nats_url: str, client: JetStreamClient, worker: WorkerFactory
) -> None:
    """
    Ten thousand letters of ten handlers: the command is killed twice and stopped once in between;
    in the end each event was run once, by its own handler, and no letter is left.
    """
    letters = await Letters(client).created()
    ran: Counter[tuple[str, int]] = Counter()
    registry = Registry()
    for name in HANDLERS:
        _declare(registry, name, ran)
    await worker(registry, service="shop")
    await letters.write_many(
        letter(number, handler=HANDLERS[number % 10], message=f"kind {number % 10}")
        for number in range(REPLAYED)
    )

    for part, ending in ((2, signal.SIGKILL), (4, signal.SIGINT), (7, signal.SIGKILL)):
        command = dlq(nats_url, "replay", "--all", "--yes", "--rate", "1000/s")
        await until(lambda: sum(ran.values()) > REPLAYED * part // 10, "a part", within=120)  # noqa: B023
        assert command.poll() is None, "it was done before it was interrupted"
        command.send_signal(ending)
        command.communicate(timeout=60)
    last = dlq(nats_url, "replay", "--all", "--yes", "--rate", "100000/s")
    said, problems = last.communicate(timeout=120)

    assert last.returncode == 0, problems
    assert 0 == await letters.count(), said
    await until(lambda: len(ran) == REPLAYED, "every event", within=60)
    assert {1} == set(ran.values())
    assert {(HANDLERS[number % 10], number) for number in range(REPLAYED)} == set(ran)


def _declare(registry: Registry, name: str, ran: Counter[tuple[str, int]]) -> None:
    async def handle(order: Order) -> None:
        ran[name, order.id] += 1

    registry.on("evt.order.placed.v1", Order, name=name)(handle)


_MEASURED = """
import json, resource, subprocess, sys
code = subprocess.call(sys.argv[2:], stdout=open(sys.argv[1], "w"))
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([code, used.ru_maxrss, used.ru_utime + used.ru_stime]))
"""
# A process of its own, as a child's peak counts what its parent had when it was made.


async def test_a_hundred_thousand_letters_are_listed_in_bounded_memory(
    nats_url: str, client: JetStreamClient, tmp_path: Path
) -> None:
    """
    The grouped list takes seconds, and no more memory than the program itself.
    """
    letters = await Letters(client).created()
    trace = "Traceback (most recent call last):\n" + '  File "handlers.py", line 7\n' * 60
    alike = [letter(handler=handler, message="no 1", traceback=trace) for handler in HANDLERS]
    await letters.write_alike(alike, LISTED)
    out = tmp_path / "listed.json"
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _MEASURED, out, *COMMAND),
        *("dlq", "list", "--json", "--servers", nats_url),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    said, _ = await command.communicate()

    told = json.loads(out.read_text())
    code, resident, processor = json.loads(said)
    assert 0 == code
    assert (LISTED, 10, 0) == (told["letters"], len(told["groups"]), told["others"])
    assert {LISTED // 10} == {group["count"] for group in told["groups"]}
    assert resident < 150_000, "KiB"
    assert processor < 20, "seconds"
