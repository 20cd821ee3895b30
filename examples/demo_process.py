"""A process of a demo: a service as it runs anywhere."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[1]
"""The folder that holds the package ``examples``."""

_READY_WITHIN = 30.0
_STOPS_WITHIN = 40.0
_LAST_LINES = 15
_SETTINGS = ("GLAM_", "NATS_", "CLIENT_JWT_", "INTERNAL_JWT_", "SHOPIFY_")


class DemoFailed(Exception):
    """What did not happen."""


class DemoProcess:
    """``python -m ...``, started on entering, stopped on leaving; its log goes to a file.

    ``probe`` is the path at ``port`` that answers 200 once it is ready. ``environment`` is beside
    ours, from which settings of services are left out.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        port: int,
        probe: str,
    ) -> None:
        self.log = log
        self.port = port
        self._name = name
        self._arguments = arguments
        self._environment = neutral_environment() | dict(environment)
        self._probe = probe
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        self._process = self._started()
        try:
            await self.ready()
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
            raise DemoFailed(f"{self._name} was told to stop and exited with {code}")

    async def ready(self) -> None:
        """Wait until it says that it is; raises DemoFailed when that does not come."""
        deadline = time.monotonic() + _READY_WITHIN
        while True:
            status, body = await self.get(self._probe)
            if status == http.client.OK:
                return
            code = None if self._process is None else self._process.poll()
            if code is not None:
                raise DemoFailed(f"{self._name} ended at once with {code}")
            if time.monotonic() > deadline:
                raise DemoFailed(f"{self._name} is not ready after {_READY_WITHIN:g} s: {body}")
            await asyncio.sleep(0.05)

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of what it answers; 0 when it does not."""
        return await asyncio.to_thread(self._get, path)

    def last_lines(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_LAST_LINES:])

    def _started(self) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - arguments of our own
                [sys.executable, "-m", *self._arguments],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: we stop it
            )

    def _get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10.0)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException) as error:
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
