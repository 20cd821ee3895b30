"""One child: a process that runs ``glam-worker run`` and answers on a channel."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence

from glam_worker.supervisor.channel import Answer, Channel, Question


class Child:
    """A process that was started.

    * It writes its log lines and errors where the parent does.
    * It has a process group of its own: an interrupt from the terminal reaches the parent only,
      which stops it in order.
    """

    def __init__(self, process: Process, channel: Channel) -> None:
        self._process = process
        self._channel = channel
        self._born = time.monotonic()
        self.pid = process.pid
        self.answer: Answer | None = None
        """What it said last; None after silence."""
        self.exposition = ""
        """Its metrics as they were said last; kept after silence."""

    @classmethod
    async def spawn(cls, modules: Sequence[str], settings: bytes) -> Child:
        """Start it with the settings handed over. Raises OSError when there is no process to have.

        To be called from the parent's main thread: Linux takes the end of the *thread* that
        started a child for the parent's.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            ours.sendall(settings)
            channel = await Channel.over(ours)
            try:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "glam_worker", "run", *modules),
                    *("--channel", str(theirs.fileno())),
                    stdin=DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    process_group=0,
                )
            except BaseException:
                channel.close()
                raise
        return cls(process, channel)

    @property
    def started(self) -> bool:
        """Whether its handlers are at work, as far as it says."""
        return self.answer is not None and self.answer.started

    @property
    def last_word(self) -> int | None:
        """Once it has ended: the exit code it ended with for a reason that a replacement shares,
        as its runtime said. None after any other death, whatever its code: a handler can end its
        process with every code there is."""
        return self._channel.last_word

    @property
    def lived(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._born

    async def ask(self, question: Question, within: float) -> Answer | None:
        """Ask it, and remember what it says."""
        self.answer = answer = await self._channel.ask(question, within)
        if answer is not None and answer.metrics is not None:
            self.exposition = answer.metrics
        return answer

    def stop(self) -> None:
        """Tell it to stop in order."""
        self._send(signal.SIGTERM)

    def hurry(self) -> None:
        """Tell it to stop now."""
        self._send(signal.SIGINT)

    def kill(self) -> None:
        """End it at once."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end: its exit code, or the negative number of the signal that killed it."""
        code = await self._process.wait()
        await self._channel.read_rest()
        self._channel.close()
        return code


def manner_of(code: int) -> str:
    """How a child ended, in words."""
    return f"ended with exit code {code}" if code >= 0 else f"was killed by {signal_name(-code)}"


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9; "signal 40" for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
