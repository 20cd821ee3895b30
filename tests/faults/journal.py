"""What handlers write down of their runs, and how tests read it.

One line each time a run starts or ends, written with one system call, so that a process that is
killed loses none of it and several processes share one file.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from glam_worker import EventContext

VARIABLE = "FAULTS_JOURNAL"


class Line(NamedTuple):
    """A run started, or ended."""

    what: str
    """``start``, ``ok``, ``cut`` (cancelled) or the name of what was raised."""
    handler: str
    job: int
    event_id: str
    attempt: int
    pid: int
    at: float
    """By the machine's monotonic clock, which all its processes share."""


class Run(NamedTuple):
    """A run as the journal shows it."""

    start: Line
    end: Line | None
    """None: it never ended."""


class Pen:
    """Writes the journal that the environment names."""

    def __init__(self) -> None:
        path = os.environ.get(VARIABLE, os.devnull)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    @contextlib.contextmanager
    def run(self, handler: str, job: int, event: EventContext) -> Iterator[None]:
        """Write that the run starts, and how it ends."""
        self._write("start", handler, job, event)
        try:
            yield
        except BaseException as error:
            kind = type(error).__name__
            self._write("cut" if kind == "CancelledError" else kind, handler, job, event)
            raise
        self._write("ok", handler, job, event)

    def _write(self, what: str, handler: str, job: int, event: EventContext) -> None:
        line = (what, handler, job, event.event_id, event.attempt, os.getpid(), time.monotonic())
        os.write(self._file, (" ".join(map(str, line)) + "\n").encode())


class Journal:
    """Reads what was written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def lines(self) -> list[Line]:
        """Everything so far, in order."""
        whole = self.path.read_text().rpartition("\n")[0]
        return [_parsed(line) for line in whole.splitlines()]

    def runs(self) -> list[Run]:
        """Every run so far, in the order of their starts."""
        starts: list[Line] = []
        ends: dict[tuple[str, str, int, int], list[Line]] = {}
        for line in self.lines():
            if line.what == "start":
                starts.append(line)
            else:
                ends.setdefault(_key(line), []).append(line)
        return [_paired(start, ends.get(_key(start), [])) for start in starts]

    def started(self) -> Counter[int]:
        """How many runs of each job started."""
        return Counter(line.job for line in self.lines() if line.what == "start")

    def ended(self, what: str = "ok") -> Counter[int]:
        """How many runs of each job ended so."""
        return Counter(line.job for line in self.lines() if line.what == what)

    def running(self, pid: int | None = None) -> set[int]:
        """Jobs whose runs, in one process or in all, have started and not ended."""
        open_runs = (run.start for run in self.runs() if run.end is None)
        return {start.job for start in open_runs if pid in (None, start.pid)}

    def most_at_once(self, handler: str, pid: int) -> int:
        """The most runs of a handler at one time in one process."""
        most = now = 0
        for line in self.lines():
            if (line.handler, line.pid) == (handler, pid):
                now += 1 if line.what == "start" else -1
                most = max(most, now)
        return most


def _parsed(line: str) -> Line:
    what, handler, job, event_id, attempt, pid, at = line.split()
    return Line(what, handler, int(job), event_id, int(attempt), int(pid), float(at))


def _key(line: Line) -> tuple[str, str, int, int]:
    return line.handler, line.event_id, line.attempt, line.pid


def _paired(start: Line, ends: list[Line]) -> Run:
    """With the first end after its start; one process may run an event more than once."""
    end = next((end for end in ends if end.at >= start.at), None)
    if end is not None:
        ends.remove(end)
    return Run(start, end)
