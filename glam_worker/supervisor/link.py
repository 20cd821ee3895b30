"""A child's end of the channel to its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

from glam_shared.errors import ConfigurationError, GlamBaseError
from glam_worker.observe.endpoint import Probes
from glam_worker.supervisor.channel import Answer, last_word
from glam_worker.supervisor.handover import taken_over

STOP_MARGIN = 4.0
"""Seconds beyond the grace period that a child may take to stop before it is ended by force."""

_FAILED = 1
_SAID_WITHIN = 1.0
_PR_SET_PDEATHSIG = 1


class ParentLink:
    """Binds this process to its parent.

    * The parent's questions are answered from a thread, also while the event loop is blocked.
    * The parent is told why this process ends, where a replacement would end in the same way.
    * Without the parent, however it ended, this process stops as on SIGTERM; if it has not stopped
      its grace period and ``STOP_MARGIN`` seconds later, it is ended at once.

    Raises ConfigurationError when the file descriptor is not the channel of a parent.
    """

    def __init__(self, descriptor: int) -> None:
        self._socket = _opened(descriptor)
        self._lines = self._received()
        self._sending = threading.Lock()
        self._probes: Probes | None = None
        _stop_with_parent()
        line = next(self._lines, None)
        if line is None:
            raise SystemExit(0)  # the parent ended before it could be known
        self.settings = taken_over(line)
        """The parent's, as they are in effect."""
        threading.Thread(target=self._listen, name="parent", daemon=True).start()

    def serve(self, probes: Probes) -> None:
        """From now on this process has started, and answers with what the probes say."""
        self._probes = probes

    def ends(self, code: int) -> None:
        """Tell the parent that this process ends with the code, and so would another."""
        if self._sending.acquire(timeout=_SAID_WITHIN):  # a parent that stands still reads nothing
            with contextlib.suppress(OSError):
                self._socket.sendall(last_word(code))
            self._sending.release()

    @contextlib.contextmanager
    def told_of_failed_starts(self, code_of: Callable[[GlamBaseError], int]) -> Iterator[None]:
        """``ends`` for what is raised before this process has started."""
        try:
            yield
        except BaseException as error:
            if self._probes is None:
                self.ends(code_of(error) if isinstance(error, GlamBaseError) else _FAILED)
            raise

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # it may end between question and answer
            for question in self._lines:
                answer = self._answer(question).line()
                with self._sending:
                    self._socket.sendall(answer)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self.settings.shutdown_grace + STOP_MARGIN)
        os._exit(1)

    def _received(self) -> Iterator[bytes]:
        """The parent's lines, until it is gone. No buffered file: its lock could be held by the
        thread when the interpreter ends."""
        held = b""
        with contextlib.suppress(OSError):
            while chunk := self._socket.recv(1 << 16):
                *lines, held = (held + chunk).split(b"\n")
                yield from lines

    def _answer(self, question: bytes) -> Answer:
        probes = self._probes
        if probes is None:
            return Answer()
        try:
            metrics = probes.metrics().decode() if question == b"metrics" else None
            return Answer(True, probes.unhealthy(), probes.not_ready(), metrics)
        except Exception as error:  # noqa: BLE001 - a probe that fails must not silence the process
            return Answer(True, [f"a probe failed: {error!r}"])


def _opened(descriptor: int) -> socket.socket:
    try:
        end = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ConfigurationError(
            f"--channel {descriptor} is no socket of a parent ({error.strerror}); it is for the "
            "children that `glam-worker run --processes N` starts; leave it out"
        ) from None
    end.set_inheritable(False)
    return end


def _stop_with_parent() -> None:
    """Linux sends SIGTERM when the parent's thread that started us ends; elsewhere, and if the
    parent is gone already, the channel's end is the sign."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
