"""An embedded ``nats-server``: the real one, with JetStream on disk, for one run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from glam_worker.dev import guard
from glam_worker.dev.binary import server_binary
from glam_worker.dev.store import StoreLock
from glam_worker.errors import EmbeddedServerError

DEFAULT_STORE = Path(".glam")
"""In the working directory."""

READY_WITHIN = 30.0
"""Seconds a server may take to recover its store and listen."""

_LOG = "nats-server.log"
_LOG_LIMIT = 10 << 20
_LAST_LINES = 12


class EmbeddedServer:
    """A server of our own on the loopback interface.

    * It keeps its streams under ``store`` (default ``.glam/`` of the working directory) from one
      run to the next, and logs to ``nats-server.log`` there.
    * It ends with this process, also when this one is killed.
    * ``start`` again after ``stop`` or ``kill`` listens on the same port.

    ``port`` 0 takes a free one. ``config`` are further options of nats-server's configuration
    file, such as ``{"max_payload": 65536}``; they win over ours.
    """

    def __init__(
        self,
        store: Path | None = None,
        port: int = 0,
        *,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.store = (store or DEFAULT_STORE).absolute()
        self.port = port
        self.pid = 0
        """The server's process id; 0 while it does not run."""
        self.url = ""
        """Where clients connect; empty before the first start."""
        self.monitor_url = ""
        """Where ``/varz`` and its like are answered."""
        self._config = dict(config or {})
        self._log_start = 0
        self._guard: subprocess.Popen[bytes] | None = None
        self._lock = StoreLock(self.store)

    @property
    def log_file(self) -> Path:
        """What the server says."""
        return self.store / _LOG

    def start(self) -> EmbeddedServer:
        """Start, and return once it listens and its store is recovered.

        Raises MissingExtraError without the extra ``embedded``, and EmbeddedServerError when the
        store is in use, or with the last lines of the log when the server ends early.
        """
        if self._guard is not None:
            return self
        binary = server_binary()
        self._make_store()
        self._lock.acquire()
        try:
            self._launch(binary)
            self._await_ready()
        except BaseException:
            self.stop()
            raise
        self._lock.note(self.url)
        return self

    def stop(self) -> None:
        """End the server and wait until it has; without effect when it does not run."""
        process, self._guard, self.pid = self._guard, None, 0
        if process is not None:
            _end(process)
        self._lock.release()

    def kill(self) -> None:
        """End the server as a crash would, with SIGKILL."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def trouble(self) -> str | None:
        """Why it does not run although it was started; None while it does."""
        if self._guard is not None and self._guard.poll() is not None:
            return self._failure("ended")
        return None

    def __enter__(self) -> EmbeddedServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # --- start ---

    def _make_store(self) -> None:
        self.store.mkdir(parents=True, exist_ok=True)
        if self.store == DEFAULT_STORE.absolute():
            (self.store / ".gitignore").write_text("*\n")  # nobody wants it in a repository

    def _launch(self, binary: Path) -> None:
        for stale in self.store.glob("nats-server*.ports"):
            stale.unlink(missing_ok=True)
        configuration = self.store / "nats-server.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(json.dumps(self._configuration(), indent=2))
        with self._opened_log() as log:
            self._log_start = log.tell()
            process = self._guard = subprocess.Popen(  # noqa: S603 - paths of our own
                [sys.executable, "-I", "-S", guard.__file__, str(binary), "-c", configuration],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(self._lock.fd,),
                start_new_session=True,  # Ctrl-C is for us: the server stops after the worker
            )
        self.pid = int((process.stdout and process.stdout.readline().strip()) or 0)

    def _configuration(self) -> dict[str, Any]:
        jetstream = {"store_dir": str(self.store)} | self._config.get("jetstream", {})
        ours = {
            "host": "127.0.0.1",
            "port": self.port or -1,
            "http": "127.0.0.1:-1",
            "ports_file_dir": str(self.store),
        }
        return ours | self._config | {"jetstream": jetstream}

    def _opened_log(self) -> BinaryIO:
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_LIMIT:
            self.log_file.unlink()
        return self.log_file.open("ab")

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not self._read_addresses():
            if self._guard is None or self._guard.poll() is not None:
                raise EmbeddedServerError(self._failure("ended at once"))
            if time.monotonic() > deadline:
                raise EmbeddedServerError(self._failure(f"is not ready after {READY_WITHIN:g} s"))
            time.sleep(0.005)

    def _read_addresses(self) -> bool:
        """The server writes this file once it listens and has recovered its streams."""
        file = self.store / f"nats-server_{self.pid}.ports"
        with contextlib.suppress(OSError, ValueError):  # not there yet, or half written
            addresses = json.loads(file.read_text())
            self.url = str(addresses["nats"][0])
            self.monitor_url = str((addresses.get("monitoring") or [""])[0])
            self.port = int(self.url.rpartition(":")[2])
            return True
        return False

    def _failure(self, what: str) -> str:
        said = self.log_file.read_bytes()[self._log_start :].decode(errors="replace")
        last = "\n".join(f"  {line}" for line in said.splitlines()[-_LAST_LINES:])
        return f"nats-server {what}; its log {self.log_file} ends with:\n{last}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Closing its standard input tells the guard to stop the server."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        process.wait(guard.STOPS_WITHIN + 5.0)
    except subprocess.TimeoutExpired:
        process.kill()  # its child is told by the parent-death signal
        process.wait()
