"""The signals that stop a worker's process, from its start to its very end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import threading
from types import FrameType

from glam_worker.ending import Ending

STOP_MARGIN = 8.0
"""Seconds beyond the grace period after which a process that was told to stop ends by force."""

NOW = 3.0
"""Seconds for what must be written when it was told to stop now."""

_NUMBERS = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """Records that the process was told to stop, and limits how long it takes.

    * first signal: ``told`` is set; by force ``grace`` and ``STOP_MARGIN`` seconds later;
    * second: ``now`` is set; by force three seconds later;
    * once the work is over (``over``): the process ends with its code at once.

    The handlers are Python's, not the event loop's: they run while a handler blocks the loop in
    Python code, and when there is no loop any more.

    ``child``: a child may be told to stop by its parent and by the system at once, so that the
    second SIGTERM is none.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, ending: Ending, grace: float, *, child: bool
    ) -> None:
        self.told = asyncio.Event()
        self.now = asyncio.Event()
        self._loop = loop
        self._ending = ending
        self._grace = grace
        self._child = child
        self._times = 0
        self._code: int | None = None

    def listen(self) -> None:
        """From now on; processes that handlers fork do not."""
        for number in _NUMBERS:
            signal.signal(number, self._signalled)
        _deaf_in_forks(self._loop, threading.get_ident())

    def over(self, code: int) -> None:
        """The work is done: the next signal means the end, with this code."""
        self._code = code

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if self._times and self._child and number == signal.SIGTERM:
            return
        self._times += 1
        if self._code is not None:
            os._exit(self._code)
        first = self._times == 1
        if first:
            self._ending.within(self._grace + STOP_MARGIN, 0)
        elif self._times == 2:
            self._ending.within(NOW, 0, hooks=0.0)
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe((self.told if first else self.now).set)


@functools.cache
def _deaf_in_forks(loop: asyncio.AbstractEventLoop, loops_thread: int) -> None:
    """What a handler forks (``multiprocessing``, ``os.fork``) has Python's own signal handlers:
    a signal to it is not one to the worker, whose wake-up socket it shares. One that comes in
    between waits."""

    masked = threading.local()

    def before() -> None:
        masked.before = signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS)

    def after() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masked.before)

    def child() -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        after()
        if threading.get_ident() == loops_thread:
            loop.call_soon(_came_back)

    os.register_at_fork(before=before, after_in_parent=after, after_in_child=child)


def _came_back() -> None:
    """A forked process went on into the runtime: it would be a second worker on one connection."""
    os.write(2, b"glam-worker: a process that a handler forked came back from it, and ends; ")
    os.write(2, b"end it inside of the handler, with os._exit()\n")
    os._exit(1)
