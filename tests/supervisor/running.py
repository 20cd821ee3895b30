"""A service of its own in a directory, run with several processes, and ways to look at it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

from glam_shared.messaging import EventPublisher, JetStreamClient

WITHIN = 45.0
SUBJECT = "evt.job.wanted.v1"

_MODULE = """
import asyncio, os, pathlib
from pydantic import BaseModel
from glam_worker import on

class Job(BaseModel):
    id: int

{prelude}

@on("evt.job.wanted.v1", Job, ack_wait=2.0, concurrency=8{options})
async def work(job: Job) -> None:
    {body}
    with open({record!r}, "a", buffering=1) as record:
        record.write(f"{{job.id}} {{os.getpid()}}\\n")
"""


class Job(BaseModel):
    """What is asked for."""

    id: int


def until(condition: Callable[[], Any], what: str, within: float = WITHIN) -> Any:
    """Poll until the condition gives something true, and return that."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.02)
    return found


def alive(pid: int) -> bool:
    """Whether the process has not ended; one that nobody waited for has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def publish(server: str, numbers: range) -> None:
    """One event for each number; returns once the server has them all."""
    client = JetStreamClient()
    await client.connect(server)
    publisher = EventPublisher(client, "tests")
    for number in numbers:
        await publisher.publish_event(SUBJECT, Job(id=number))
    await client.close()


class Service:
    """A module ``jobs`` with one handler, which writes down what it handled, and by whom."""

    def __init__(self, directory: Path, server: str) -> None:
        self.directory = directory
        self.server = server
        self.runs: list[Run] = []
        self._record = directory / "handled.txt"
        self._record.touch()
        self.declare()

    def declare(
        self, body: str = "await asyncio.sleep(0.01)", prelude: str = "", options: str = ""
    ) -> None:
        """Write the module; ``body`` comes before the handler's record."""
        parts = {"body": body, "prelude": prelude, "options": options}
        source = _MODULE.format(**parts, record=str(self._record))
        (self.directory / "jobs.py").write_text(source)

    def handled(self) -> Counter[int]:
        """How often each event was handled."""
        return Counter(int(line.split()[0]) for line in self._record.read_text().splitlines())

    def handlers(self) -> set[int]:
        """The processes that handled something."""
        return {int(line.split()[1]) for line in self._record.read_text().splitlines()}

    def run(self, processes: int = 2, *more: str, **environment: str) -> Run:
        """Start ``glam-worker run jobs``."""
        run = Run(self.directory, self.server, processes, more, environment)
        self.runs.append(run)
        return run


class Run:
    """``glam-worker run jobs --processes N``: its process, log and endpoint."""

    def __init__(
        self,
        directory: Path,
        server: str,
        processes: int,
        more: tuple[str, ...],
        environment: Mapping[str, str],
    ) -> None:
        self.processes = processes
        self.port = free_port()
        self._out = directory / f"{self.port}.out"
        self._err = directory / f"{self.port}.err"
        flags = ("--processes", str(processes), "--servers", server, "--http-port", str(self.port))
        command = (sys.executable, "-m", "glam_worker", "run", "jobs", *flags, *more)
        settings = {k: v for k, v in os.environ.items() if not k.startswith(("GLAM_", "NATS_"))}
        settings["GLAM_SHUTDOWN_GRACE"] = "5"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                command, cwd=directory, stdout=out, stderr=err, env={**settings, **environment}
            )

    # --- what it says ---

    @property
    def errors(self) -> str:
        """What was written to stderr."""
        return self._err.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """The log, each line one JSON object."""
        whole = self._out.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def said(self, text: str) -> list[dict[str, Any]]:
        """The parent's lines with the text."""
        ours = (line for line in self.lines() if line["logger"] == "glam_worker.supervisor")
        return [line for line in ours if text in line["message"]]

    def pids(self) -> list[int]:
        """Every child that was started, in order."""
        return [line["pid"] for line in self.said(" started")]

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of the endpoint's answer; 0 when there is no endpoint."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as got:
                return got.status, got.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""

    def readiness(self) -> tuple[int, list[str]]:
        """Status and reasons of ``/readyz``."""
        status, body = self.get("/readyz")
        return status, json.loads(body)["reasons"] if body else ["no endpoint"]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples that have the labels."""
        families = text_string_to_metric_families(self.get("/metrics")[1])
        samples = [sample for family in families for sample in family.samples]
        return sum(
            sample.value
            for sample in samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    # --- what is done to it ---

    def await_all_ready(self) -> list[int]:
        """The children's process ids, once all of them are ready."""
        until(self._ready_or_ended, "all ready")
        assert self.process.poll() is None, self.errors
        return self.pids()[-self.processes :]

    def _ready_or_ended(self) -> bool:
        return self.readiness() == (200, []) or self.process.poll() is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the parent."""
        self.process.send_signal(number)

    def code(self, within: float = WITHIN) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(within)

    def end(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in filter(alive, self.pids()):
            os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
