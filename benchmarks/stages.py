"""Where the instructions of an event go: `python -m benchmarks.stages`.

Each stage of an event's way is repeated alone, in a process under callgrind, and compared with a
repetition of nothing. What is then missing to a whole event, as the guard counts it at a real
server, is the socket, the event loop, and what leads from one stage to the next.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvloop

from benchmarks.callgrind import callgrind, count_instructions, counted
from benchmarks.events import wire
from benchmarks.guard import WORKER, instructions_per_event
from glam_shared.logging import ServiceLogger
from glam_shared.messaging import Subjects
from glam_shared.messaging.envelope import envelope_of
from glam_shared.messaging.events import MerchantCreatedPayload
from glam_shared.messaging.plain_json import proves_strict
from glam_shared.messaging.wire_reader import WireReader
from glam_worker.declare.registry import Registry
from glam_worker.jetstream.delivery import JetStreamDelivery
from glam_worker.observe.epoch import EpochClock
from glam_worker.observe.records import WayRecord
from glam_worker.runtime.credits import Credits
from glam_worker.runtime.executor import Executor
from glam_worker.runtime.run import Run, Surroundings
from glam_worker.runtime.runs import Runs

SUBJECT = str(Subjects.MERCHANT_CREATED)
REPLY = "$JS.ACK.GLAM_EVENTS.bench-handle.1.1001.1001.1763920000000000000.4999"
REPEATED = 1_000
AT_ONCE = 30
"""Messages that one read of the socket brings, about as many as under load."""
_WARM_UP = 300


class Stages:
    """The parts of an event's way, each ready to be repeated."""

    def __init__(self) -> None:
        self.body = wire(7)
        envelope = envelope_of(MerchantCreatedPayload)
        self._validate = envelope.__pydantic_validator__.validate_json
        self._envelope = envelope.from_bytes(self.body)
        self._acks: list[str] = []
        outbox = SimpleNamespace(ack=self._acks.append)
        self._source: Any = SimpleNamespace(
            stream="GLAM_EVENTS", created=1, way="main", live=True, outbox=outbox
        )
        self._reader = WireReader(None)
        self._reader.takers["1"] = lambda *message: None
        line = f"MSG {SUBJECT} 1 {REPLY} {len(self.body)}\r\n".encode()
        self._read_at_once = AT_ONCE * (line + self.body + b"\r\n")
        self._record = WayRecord(EpochClock())
        self._credits = Credits(100, None, 1 << 30)
        self._surroundings = self._surround()
        self._executor = Executor(self._surroundings, ThreadPoolExecutor(1))
        self._runs = Runs(self._executor, {}, 60.0)
        self._delivered = self._delivery()
        self._run = Run(self._delivered, self._envelope, self._surroundings, 1.0)

    @staticmethod
    def _surround() -> Surroundings:
        registry = Registry()

        @registry.on(Subjects.MERCHANT_CREATED, MerchantCreatedPayload)
        async def handle(payload: MerchantCreatedPayload) -> None:
            return

        handler = registry.served_by("bench").handlers[0]
        nobody: Any = None
        return Surroundings(handler, ServiceLogger(logging.getLogger("bench")), nobody)

    def _delivery(self) -> JetStreamDelivery:
        return JetStreamDelivery(self._source, SUBJECT, REPLY, self.body, b"", 1.0)

    def nothing(self) -> None:
        """What a repetition costs."""

    def receive(self) -> None:
        """Find the message in what was read from the socket, with others."""
        awaits_nothing = self._reader.parse(self._read_at_once)
        try:
            awaits_nothing.send(None)
        except StopIteration:
            return

    def deliver(self) -> None:
        """Make a delivery of it: what its ack's subject says."""
        self._delivery()

    def validate(self) -> None:
        """Parse the JSON and validate envelope and payload, in one step."""
        self._validate(self.body)

    def prove(self) -> None:
        """See that no key stands twice, and the like."""
        proves_strict(self.body, self._envelope)

    def handle(self) -> None:
        """A context, the correlation id, and the handler's coroutine up to its end."""
        self._runs.begin(Run(self._delivered, self._envelope, self._surroundings, 1.0))

    def settle(self) -> None:
        """Note the ack, which is written with others; give the credit back."""
        self._delivered._settled = False
        self._credits.arrived("main", 700)
        self._delivered.ack()
        self._credits.settled("main", 700)

    def observe(self) -> None:
        """Count it, and how long it waited, ran, and had been stored."""
        self._record.received(self._delivered)
        self._record.acked(self._delivered, self._run, 1.0, 1.0001)


NAMES = ("receive", "deliver", "validate", "prove", "handle", "settle", "observe")


async def repeat(name: str) -> None:
    """Be the counted process of one stage."""
    stage: Callable[[], None] = getattr(Stages(), name)
    for _ in range(_WARM_UP):
        stage()
    count_instructions(on=True)
    for _ in range(REPEATED):
        stage()
    count_instructions(on=False)


def instructions(name: str) -> float:
    """Of one repetition of a stage."""
    with tempfile.TemporaryDirectory(prefix="bench-stages-") as folder:
        file = Path(folder) / "counted"
        command = (*callgrind(file), sys.executable, "-m", "benchmarks.stages", "--repeat", name)
        subprocess.run(command, check=True)
        return counted(file) / REPEATED / (AT_ONCE if name == "receive" else 1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--repeat", choices=("nothing", *NAMES), help=argparse.SUPPRESS)
    if name := parser.parse_args().repeat:
        asyncio.run(repeat(name))
        return
    nothing = instructions("nothing")
    costs = {name: instructions(name) - nothing for name in NAMES}
    whole = uvloop.run(instructions_per_event(WORKER))
    costs["in between"] = whole - sum(costs.values())
    for name, spent in {**costs, "whole": whole}.items():
        print(f"{name:10} {spent:8,.0f} {spent / whole:6.1%}  {_meaning(name)}".rstrip())


def _meaning(name: str) -> str:
    known = {"in between": "Socket, event loop, and the way from one stage to the next."}
    return known.get(name) or getattr(getattr(Stages, name, None), "__doc__", None) or ""


if __name__ == "__main__":
    main()
