"""The worker's process under ``glam-worker dev``."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from glam_worker.dev.loaded import Loaded


class WorkerProcess:
    """A worker in a session of its own: Ctrl-C at the terminal reaches its parent only.

    ``given`` is what it reads from the pipe that binds it to us; through another one it tells
    which files it has loaded.
    """

    def __init__(self, module: str, arguments: Sequence[str], given: bytes) -> None:
        reading, writing = os.pipe()
        hearing, telling = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-m", module, str(reading), str(telling), *arguments],
                pass_fds=(reading, telling),
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        finally:
            os.close(reading)
            os.close(telling)
        self._loaded = Loaded(hearing)
        self._pipe = os.fdopen(writing, "wb", buffering=0)
        with contextlib.suppress(BrokenPipeError):
            self._pipe.write(given)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        code = self._process.poll()
        if code is not None:
            self._pipe.close()
            self._loaded.close()
        return code

    def loaded(self) -> set[Path]:
        """The files of the modules it has imported, as far as it has told."""
        return self._loaded.files()

    def stop(self) -> None:
        """Tell it to stop in order; told again, at once."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it by force."""
        self._process.kill()
