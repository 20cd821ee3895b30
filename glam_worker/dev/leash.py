"""Ends this process with its parent, however that one ended."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import BinaryIO


def hold(pipe: BinaryIO, patience: float) -> None:
    """Stop as on SIGTERM once the pipe's other end is closed; by force ``patience`` seconds later.

    From a thread of its own, so that it works while the event loop is blocked.
    """
    threading.Thread(target=_watch, args=(pipe, patience), name="parent", daemon=True).start()


def _watch(pipe: BinaryIO, patience: float) -> None:
    while pipe.read(1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(patience)
    os._exit(1)
