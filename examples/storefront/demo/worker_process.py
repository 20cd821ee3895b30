"""The shop's worker as it runs anywhere: ``glam-worker run`` in a process of its own."""

from __future__ import annotations

import http.client
from pathlib import Path

from examples.demo_process import DemoFailed, DemoProcess, free_port
from examples.storefront import store
from examples.storefront.demo.numbers import Numbers, read_numbers

_MODULE = "examples.storefront.handlers"


class WorkerProcess(DemoProcess):
    """The worker of the example, with its numbers."""

    def __init__(self, servers: str, database: Path, log: Path, log_level: str = "INFO") -> None:
        run = ("run", _MODULE, "--service", "storefront", "--servers", servers)
        self.command = " ".join(("glam-worker", *run))
        """As one would type it."""
        port = free_port()
        super().__init__(
            "the worker",
            ("glam_worker", *run, "--http-port", str(port)),
            {store.FILE: str(database.absolute()), "GLAM_LOG_LEVEL": log_level},
            log,
            port,
            "/readyz",
        )

    async def numbers(self) -> Numbers:
        """What its /metrics say now. Raises DemoFailed when it is not there any more."""
        status, body = await self.get("/metrics")
        if status != http.client.OK:
            raise DemoFailed(f"the worker's /metrics cannot be read: {body or status}")
        return read_numbers(body)
