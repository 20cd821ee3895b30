"""Runs a command that ends with whoever started this script, however that one ended.

A script of its own, run by path: ``python -I guard.py COMMAND...``. It imports only the standard
library, so that it starts quickly, and has one thread: Linux sends the parent-death signal when
the *thread* that made the child ends, which in the program that starts us may be any.

* Standard input is a pipe from the parent; its end is the order to stop, or the parent's death.
* The first line on standard output is the process id of the command.
* The exit code is the command's.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable

STOPS_WITHIN = 15.0
"""Seconds the command may take to stop before it is killed."""

_PARENT_LOOK = 1.0
_PR_SET_PDEATHSIG = 1


def main(command: list[str]) -> int:
    """Run the command until it ends, or until the parent is gone."""
    parent = os.getppid()
    wake = _wakes_on_signals()
    child = subprocess.Popen(  # noqa: S603 - what the parent gave
        command,
        stdin=subprocess.DEVNULL,
        stdout=2,
        close_fds=False,  # the lock on the store stays until the command has ended
        preexec_fn=_ends_with_us(os.getpid()),  # noqa: PLW1509 - this script has one thread
    )
    sys.stdout.write(f"{child.pid}\n")
    sys.stdout.flush()
    while child.poll() is None and not _told(wake, parent):
        pass
    return _stop(child)


def _wakes_on_signals() -> int:
    """A file descriptor that is readable after SIGCHLD, or after a signal to stop."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return reading


def _ends_with_us(pid: int) -> Callable[[], None] | None:
    """What the child does before it becomes the command. Linux only; elsewhere the pipe is all."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != pid:
            os._exit(1)

    return bind


def _told(wake: int, parent: int) -> bool:
    """Wait a moment; whether somebody wants the command to stop."""
    readable, _, _ = select.select([0, wake], [], [], _PARENT_LOOK)
    if 0 in readable and not os.read(0, 4096):
        return True
    signals = os.read(wake, 4096) if wake in readable else b""
    return any(number != signal.SIGCHLD for number in signals) or os.getppid() != parent


def _stop(child: subprocess.Popen[bytes]) -> int:
    if child.poll() is None:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(STOPS_WITHIN)
        child.kill()
    return child.wait()


if __name__ == "__main__":
    sys.exit(abs(main(sys.argv[1:])))
