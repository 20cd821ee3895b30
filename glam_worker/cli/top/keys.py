"""Keys as they are pressed, without the return key."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import termios
import tty
from collections.abc import Iterator

_NAMES = {b"\x1b[A": "up", b"\x1b[B": "down", b"\x1bOA": "up", b"\x1bOB": "down", b"\x1b": "escape"}


@contextlib.contextmanager
def pressed() -> Iterator[asyncio.Queue[str]]:
    """A queue of keys: a character each, or ``up``, ``down``, ``escape``. The terminal is as it was
    afterwards, whatever happens."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    queue: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        for key in named(os.read(descriptor, 64)):
            queue.put_nowait(key)

    try:
        tty.setcbreak(descriptor)
        loop.add_reader(descriptor, read)
        yield queue
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def named(data: bytes) -> Iterator[str]:
    """The keys that a terminal's bytes mean."""
    if not data:
        yield "q"  # the terminal is gone
    while data:
        sequence = next((one for one in _NAMES if data.startswith(one)), None)
        if sequence is not None:
            yield _NAMES[sequence]
            data = data[len(sequence) :]
        else:
            yield chr(data[0])
            data = data[1:]
