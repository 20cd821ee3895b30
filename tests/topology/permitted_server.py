"""A server that allows its users what ``glam-worker permissions`` prints, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

from glam_shared.messaging import JetStreamClient
from glam_worker.dev.binary import server_binary
from tests.dev.waiting import until

PASSWORD = "pw-of-a-test"


@contextlib.contextmanager
def permitted(
    folder: Path, block: str, variables: list[str], more: str = "", domain: str | None = None
) -> Iterator[str]:
    """Start a server whose configuration includes the block as it is; its address."""
    jetstream = {"store_dir": str(folder / "store")} | ({"domain": domain} if domain else {})
    (folder / "permissions.conf").write_text(block)
    config = folder / "server.conf"
    config.write_text(
        f"host: 127.0.0.1\nport: -1\nports_file_dir: {json.dumps(str(folder))}\n"
        f"jetstream: {json.dumps(jetstream)}\n{more}\n"
        'include "permissions.conf"\n'
    )
    env = os.environ | dict.fromkeys(variables, PASSWORD)
    process = subprocess.Popen([server_binary(), "-c", config], env=env, stderr=subprocess.PIPE)
    ports = folder / f"nats-server_{process.pid}.ports"
    try:
        until(
            lambda: bool(_address(ports)) or process.poll() is not None, "the server's address", 30
        )
        address = _address(ports)
        assert address, ((process.stderr and process.stderr.read()) or b"").decode()
        yield address
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _address(ports: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return str(json.loads(ports.read_text())["nats"][0])
    return ""


class User:
    """A connection with the permissions of one user, and what it was denied."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.client = JetStreamClient()
        self.denied: list[str] = []
        self.client.watch_denials(lambda denial: self.denied.append(denial.operation))

    async def may(self, subject: str, headers: Mapping[str, str] | None = None) -> bool:
        """Whether it may publish to a subject; what it sends is nothing that takes effect."""
        self.denied.clear()
        await self.client.client.publish(subject, b"{", headers=dict(headers or {}) or None)
        await self._answered()
        return f"publish to {subject}" not in self.denied

    async def may_hear(self, subject: str) -> bool:
        """Whether it may subscribe to a subject."""
        self.denied.clear()
        subscription = await self.client.client.subscribe(subject)
        await self._answered()
        heard = f"subscribe to {subject}" not in self.denied
        if heard:
            await subscription.unsubscribe()
        return heard

    async def _answered(self) -> None:
        """Wait until the server has denied what nobody is allowed: it denies in order."""
        await self.client.client.publish("nobody.may", b"")
        await soon(lambda: "publish to nobody.may" in self.denied, "the denial of nobody.may")


async def soon(condition: Callable[[], bool], what: str, within: float = 20.0) -> None:
    """Wait until a condition of the loop holds."""

    async def holds() -> bool:
        return condition()

    await soon_so(holds, what, within)


async def soon_so(
    condition: Callable[[], Awaitable[bool]], what: str, within: float = 20.0
) -> None:
    """Wait until something holds that must be asked for."""
    try:
        async with asyncio.timeout(within):
            while not await condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited {within:g} s for {what}") from None
