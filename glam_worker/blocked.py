"""The end of a process whose event loop a handler blocks for longer than it may run."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading

EXIT_CODE = 70
_DUMPED_WITHIN = 5.0


def end_blocked(text: str) -> None:
    """Write ``text`` and the stacks of all threads to stderr, and exit with 70.

    Called from a thread; nothing that the loop's thread may hold is waited for.
    """
    dying = threading.Timer(_DUMPED_WITHIN, os._exit, (EXIT_CODE,))  # stderr may be a full pipe
    dying.daemon = True
    dying.start()
    os.write(2, f"glam-worker: {text}; the process ends with exit code {EXIT_CODE}\n".encode())
    faulthandler.dump_traceback(sys.__stderr__ or 2, all_threads=True)
    os._exit(EXIT_CODE)
