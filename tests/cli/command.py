"""Runs ``glam-worker`` as a user does: in a process of its own."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cli import forked
from tests.dev.waiting import until

COMMAND = (sys.executable, "-m", "glam_worker")
WITHIN = 40.0

HANDLERS = """\
from pydantic import BaseModel

from glam_worker import EventContext, RetryPolicy, on


class Order(BaseModel):
    id: str


@on("evt.order.placed.v1", Order, retry=RetryPolicy(attempts=3, first=0.5))
async def ship(order: Order, event: EventContext) -> None:
    print(f"shipped {order.id} on attempt {event.attempt}", flush=True)


@on("evt.order.cancelled.v1", Order, concurrency=4)
def refund(order: Order) -> None:
    print("refunded", order.id, flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's, without settings of the worker and without wishes for colour."""
    ours = re.compile(r"GLAM_|NATS_|FORCE_COLOR|GITHUB_ACTIONS|PY_COLORS|COLUMNS", re.IGNORECASE)
    clean = {name: value for name, value in os.environ.items() if not ours.match(name)}
    return clean | {"PYTHONPATH": str(Path(__file__).parents[2])} | dict(given or {})


def glam(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    command: tuple[str, ...] = COMMAND,
) -> Ended:
    """Run to the end; ``glam-worker`` itself in a forked process."""
    if command == COMMAND:
        return Ended(*forked.run(arguments, cwd, environment(env), stdin or "", WITHIN))
    done = subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        env=environment(env),
        input=stdin or "",
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def glam_on_terminal(*arguments: str, cwd: Path, columns: int = 100) -> Ended:
    """Run to the end with a terminal for its output."""
    ours, theirs = pty.openpty()
    wide = {"COLUMNS": str(columns), "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=cwd, env=environment(wide), stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    read = bytearray()
    with contextlib.suppress(OSError):  # the terminal's end is an error on Linux
        while part := os.read(ours, 65536):
            read += part
    os.close(ours)
    return Ended(process.wait(WITHIN), read.decode(), "")


class Running:
    """A command at work; what it says is read as it comes."""

    def __init__(self, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line

    def says(self, text: str, times: int = 1) -> None:
        """Wait until it has said so."""

        def said() -> bool:
            return self.said.count(text) >= times or self.process.poll() is not None

        until(said, f"{text!r}", WITHIN)
        assert self.said.count(text) >= times, f"it did not say {text!r}, but:\n{self.said}"

    def found(self, pattern: str) -> str:
        """The first group of a pattern in what it said."""
        match = re.search(pattern, self.said)
        assert match is not None, f"no {pattern!r} in:\n{self.said}"
        return match.group(1)

    @property
    def server(self) -> str:
        """Where its embedded server listens."""
        self.says("nats-server listens at")
        return self.found(r"nats-server listens at (\S+),")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.ends()

    def ends(self) -> int:
        """Wait for the end; the exit code."""
        code = self.process.wait(WITHIN)
        self._reader.join(WITHIN)
        return code


@contextlib.contextmanager
def running(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """A command that is ended with the block at the latest."""
    started = Running(*arguments, cwd=cwd, env=env)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.ends()
