"""A real server that gives every test an account of its own.

Accounts share nothing: no stream, no consumer, no subject (NATS docs, "Multi-tenancy using
accounts"). Taking a fresh one costs nothing, while purging streams between tests costs some
milliseconds each and lets a worker that outlives its test reach into the next one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glam_worker.dev.server import EmbeddedServer

ACCOUNTS = 200
"""Accounts of one server; they add about a tenth of a second to its start."""


class TenantServer:
    """nats-server on a free port, its store in a temporary folder.

    ``fresh_url`` names an account that nothing was ever stored in. When a server's accounts are
    used up, another server is started beside it.
    """

    def __init__(self, accounts: int = ACCOUNTS) -> None:
        self._accounts = accounts
        self._running: list[tuple[EmbeddedServer, tempfile.TemporaryDirectory[str]]] = []
        self._fresh: Iterator[str] = iter(())

    def fresh_url(self) -> str:
        """The address of an unused account, with its user and password.

        Raises MissingExtraError without the extra ``testing``.
        """
        url = next(self._fresh, None)
        if url is None:
            self._fresh = iter(self._started())
            url = next(self._fresh)
        return url

    def stop(self) -> None:
        """End the servers and remove their stores."""
        running, self._running = self._running, []
        for server, folder in running:
            server.kill()  # nothing of its store is needed any more
            folder.cleanup()

    def _started(self) -> list[str]:
        folder = tempfile.TemporaryDirectory(prefix="glam-nats-", ignore_cleanup_errors=True)
        names = [f"test{number}" for number in range(self._accounts)]
        accounts = {name: _account(name) for name in names}
        server = EmbeddedServer(Path(folder.name), config={"accounts": accounts})
        self._running.append((server, folder))
        address = server.start().url.removeprefix("nats://")
        return [f"nats://{name}:{name}@{address}" for name in names]


def _account(name: str) -> dict[str, Any]:
    return {"jetstream": "enabled", "users": [{"user": name, "password": name}]}
