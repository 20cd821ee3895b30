"""The shop's worker as it runs anywhere: ``glam-worker run`` in a process of its own."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from examples.storefront import store
from examples.storefront.demo.numbers import Numbers, read_numbers

ROOT = Path(__file__).parents[3]
"""The folder that holds the package ``examples``."""

_MODULE = "examples.storefront.handlers"
_READY_WITHIN = 30.0
_STOPS_WITHIN = 40.0
_LAST_LINES = 15
_SETTINGS = ("GLAM_", "NATS_", "CLIENT_JWT_", "INTERNAL_JWT_", "SHOPIFY_")


class DemoFailed(Exception):
    """What did not happen."""


class WorkerProcess:
    """Started on entering, stopped on leaving; its log goes to a file."""

    def __init__(self, servers: str, database: Path, log: Path, log_level: str = "INFO") -> None:
        self.log = log
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = neutral_environment() | {
            store.FILE: str(database.absolute()),
            "GLAM_LOG_LEVEL": log_level,
        }
        self._arguments = [_MODULE, "--service", "storefront", "--servers", servers]

    @property
    def command(self) -> str:
        """As one would type it."""
        return " ".join(("glam-worker run", *self._arguments))

    async def __aenter__(self) -> Self:
        self._process = self._started()
        try:
            await self._ready(self._process)
        except BaseException:
            self._process.kill()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, _STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()

    async def stop(self) -> None:
        """Tell it to stop, as an operator would. Raises DemoFailed unless it does so cleanly."""
        await self.__aexit__(None, None, None)
        code = None if self._process is None else self._process.wait()
        if code:
            raise DemoFailed(f"the worker was told to stop and exited with {code}")

    async def numbers(self) -> Numbers:
        """What its /metrics say now. Raises DemoFailed when it is not there any more."""
        status, body = await asyncio.to_thread(self._get, "/metrics")
        if status != http.client.OK:
            raise DemoFailed(f"the worker's /metrics cannot be read: {body or status}")
        return read_numbers(body)

    def last_lines(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_LAST_LINES:])

    def _started(self) -> subprocess.Popen[bytes]:
        run = (sys.executable, "-m", "glam_worker", "run")
        with self.log.open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - the product itself
                [*run, *self._arguments, "--http-port", str(self._port)],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: we stop it
            )

    async def _ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _READY_WITHIN
        while True:
            status, body = await asyncio.to_thread(self._get, "/readyz")
            if status == http.client.OK:
                return
            if process.poll() is not None:
                raise DemoFailed(f"the worker ended at once with {process.returncode}")
            if time.monotonic() > deadline:
                raise DemoFailed(f"the worker is not ready after {_READY_WITHIN:g} s: {body}")
            await asyncio.sleep(0.05)

    def _get(self, path: str) -> tuple[int, str]:
        """Status and text; 0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10.0)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError as error:
            return 0, str(error)
        finally:
            connection.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def neutral_environment() -> dict[str, str]:
    """Ours without settings of a service, which may name another server or its secrets."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
