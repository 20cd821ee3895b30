"""The front door as it runs anywhere: uvicorn in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from examples.front_door.callers import Secrets
from examples.storefront.demo.worker_process import (
    ROOT,
    DemoFailed,
    free_port,
    neutral_environment,
)

_APPLICATION = ("--factory", "examples.front_door.app:create_app")
_OPTIONS = ("--no-access-log", "--no-proxy-headers")
_READY_WITHIN = 30.0
_STOPS_WITHIN = 20.0


class FrontDoorProcess:
    """Started on entering, stopped on leaving; its log goes to a file."""

    def __init__(self, servers: str, database: Path, log: Path, shared: Secrets) -> None:
        self.log = log
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._arguments = (*_APPLICATION, *_OPTIONS, "--port", str(port))
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = neutral_environment() | {
            "FRONT_DOOR_DB": str(database.absolute()),
            "GLAM_NATS_SERVERS": servers,
            "SHOPIFY_WEBHOOK_SECRET": shared.webhook,
            "CLIENT_JWT_SECRET": shared.client,
            "INTERNAL_JWT_SECRET": f"billing-service:{shared.billing}",
        }

    @property
    def command(self) -> str:
        """As one would type it."""
        return " ".join(("uvicorn", *self._arguments))

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

    def _started(self) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - arguments of our own
                [sys.executable, "-m", "uvicorn", *self._arguments],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: we stop it
            )

    async def ready(self) -> None:
        """Wait until it says that it is; raises DemoFailed when that does not come."""
        deadline = time.monotonic() + _READY_WITHIN
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            while not await _says_ready(client):
                if self._process is not None and self._process.poll() is not None:
                    raise DemoFailed(f"the front door ended with {self._process.returncode}")
                if time.monotonic() > deadline:
                    raise DemoFailed(f"the front door is not ready after {_READY_WITHIN:g} s")
                await asyncio.sleep(0.05)


async def _says_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/ready")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
