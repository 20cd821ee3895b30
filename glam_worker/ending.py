"""The end of a process: in time, whatever handlers have left behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import sys
import threading
import time
from typing import NamedTuple, NoReturn

from glam_worker.left_behind import left_behind, place_of_main

AFTER_WORK = 2.0
"""Seconds for an event loop to close and for threads to end, once the work is done."""

HOOKS = 6.0
"""Seconds more where nothing is left behind: for atexit hooks, and an embedded server."""

_SAID_WITHIN = 2.0
"""Seconds for the last log line; its lock may be held by what does not end."""

_log = logging.getLogger("glam_worker")


class _Limit(NamedTuple):
    at: float
    code: int
    hooks: float
    """Seconds more where nothing is left behind."""
    worked: bool = False
    """Whether the work is done, and nothing but the end remains."""


class Ending:
    """Ends the process by force where it does not end by itself.

    * ``within``: it has so many seconds; of several limits the earliest holds;
    * ``after_work``: the work is done, and only the process has to end.

    It acts from a thread: a loop may be blocked, and a thread of a handler's keeps the interpreter.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._threads: list[threading.Thread] = []
        self._limits: queue.SimpleQueue[_Limit] = queue.SimpleQueue()
        threading.Thread(target=self._watch, name="ending", daemon=True).start()

    def within(self, seconds: float, code: int, *, hooks: float = HOOKS) -> None:
        """From now on it may take so long. May be called from a signal handler."""
        self._limits.put(_Limit(time.monotonic() + seconds, code, hooks))

    def after_work(self, code: int) -> None:
        """The work is done: the end may take 2 s, and 6 s more where nothing is left behind."""
        self._threads = threading.enumerate()
        self._limits.put(_Limit(time.monotonic() + AFTER_WORK, code, HOOKS, worked=True))

    def _watch(self) -> None:
        limit = self._limits.get()
        while True:
            _end_silently(limit)
            try:
                told = self._limits.get(timeout=max(0.0, limit.at - time.monotonic()))
            except queue.Empty:
                self._by_force(limit)
            else:
                hooks = min(told.hooks, limit.hooks)
                limit = told._replace(at=min(told.at, limit.at), hooks=hooks)

    def _by_force(self, limit: _Limit) -> None:
        left = left_behind(self._loop, self._threads)
        if limit.worked and not left:
            time.sleep(limit.hooks)
        what = f"left what did not end: {left}" if left else "the process did not end by itself"
        if not limit.worked:
            what = f"not stopped in time: the event loop's thread is at {place_of_main()}"
        _log.warning("%s; the process ends with exit code %d", what, limit.code)
        end_now(limit.code)


def _end_silently(limit: _Limit) -> None:
    """Where even saying it takes too long. Begun early: not every Python starts a thread in an
    interpreter that ends."""
    latest = limit.at - time.monotonic() + limit.hooks + _SAID_WITHIN
    timer = threading.Timer(max(0.0, latest), os._exit, (limit.code,))
    timer.daemon = True
    with contextlib.suppress(RuntimeError):
        timer.start()


def end_now(code: int) -> NoReturn:
    """End the process without waiting for tasks, threads or hooks; what was said is written."""
    logging.shutdown()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(code)
