"""Which source files a worker has loaded: its process tells, the one that restarts it hears."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path

_LOOK_EVERY = 0.2
"""Seconds between looks for modules that were imported since, by a handler's first run say."""


def tell(descriptor: int) -> None:
    """Write the path of every module's file, a line each, from a thread of its own, for good."""
    threading.Thread(target=_tell, args=(descriptor,), name="loaded", daemon=True).start()


def _tell(descriptor: int) -> None:
    told: set[str] = set()
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as pipe:
        while True:
            files = _files() - told
            pipe.writelines(os.fsencode(file) + b"\n" for file in sorted(files))
            pipe.flush()
            told |= files
            time.sleep(_LOOK_EVERY)


def _files() -> set[str]:
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {file for file in files if isinstance(file, str)}


class Loaded:
    """Hears what ``tell`` says at the other end of a pipe."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._pipe = os.fdopen(descriptor, "rb", buffering=0)
        self._unfinished = b""
        self._files: set[Path] = set()

    def files(self) -> set[Path]:
        """The files that were loaded, as far as it was told."""
        while not self._pipe.closed and (read := self._pipe.read(1 << 16)):
            *lines, self._unfinished = (self._unfinished + read).split(b"\n")
            self._files |= {Path(os.fsdecode(line)).resolve() for line in lines}
        return self._files

    def close(self) -> None:
        """Hear no more."""
        self._pipe.close()
