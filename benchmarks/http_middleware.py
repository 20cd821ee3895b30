"""What `setup_middleware` costs: the same FastAPI application with and without it, on uvicorn.

    python benchmarks/http_middleware.py [--rounds 200] [--requests 320] [--json]

Two servers, each one process with uvloop and without uvicorn's own access log, are asked in turn
over kept connections; log lines of ours go to a file. A round is short, so that whatever else the
machine does hits both alike, and the overhead is the median of what each pair of rounds says.
Printed are also the medians of the requests per second and the servers' CPU time per request
(Linux). Exit code 1 when the overhead exceeds 15 % of the requests per second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

CONNECTIONS = 16
LIMIT_PERCENT = 15.0
REQUEST = b"GET /items/7 HTTP/1.1\r\nhost: bench\r\nuser-agent: bench\r\naccept: */*\r\n\r\n"


def serve(kind: str, descriptor: int) -> None:
    """Run one of the two servers on a listening socket that the parent opened."""
    import uvicorn  # noqa: PLC0415 - the parent needs none of it
    from fastapi import FastAPI  # noqa: PLC0415

    from glam_shared.api import setup_middleware  # noqa: PLC0415

    app = FastAPI()

    @app.get("/items/{item}")
    async def item(item: int) -> dict[str, int]:
        return {"item": item}

    if kind == "middleware":
        setup_middleware(app, service_name="bench")
    config = uvicorn.Config(
        app, access_log=False, log_config=None, loop="uvloop", timeout_keep_alive=300
    )
    # Not `fd=`: uvicorn takes such a socket for a Unix one and leaves Nagle's algorithm on.
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Server:
    """A server process and what was measured of it."""

    kind: str
    port: int
    pid: int
    rates: list[float] = field(default_factory=list)
    asked: int = 0
    cpu_before: float = 0.0
    connections: list[Connection] = field(default_factory=list)

    async def connect(self) -> None:
        """Open the connections, warm the server up, and start to count."""
        for _ in range(CONNECTIONS):
            self.connections.append(await asyncio.open_connection("127.0.0.1", self.port))
        await self.measure(2000)
        self.rates.clear()
        self.asked, self.cpu_before = 0, self._cpu_seconds()

    async def measure(self, requests: int) -> None:
        """One round: *requests* requests over all connections."""
        share = requests // CONNECTIONS
        started = time.perf_counter()
        await asyncio.gather(*(_ask(connection, share) for connection in self.connections))
        self.rates.append(share * CONNECTIONS / (time.perf_counter() - started))
        self.asked += share * CONNECTIONS

    def cpu_us(self) -> float:
        """Microseconds of CPU time per request since `connect`."""
        return (self._cpu_seconds() - self.cpu_before) / self.asked * 1e6

    def _cpu_seconds(self) -> float:
        stat = Path(f"/proc/{self.pid}/stat")
        if not stat.exists():
            return float("nan")
        user, system = stat.read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def _ask(connection: Connection, requests: int) -> None:
    reader, writer = connection
    for _ in range(requests):
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
        await reader.readexactly(int(length))


@contextmanager
def running(kind: str) -> Iterator[Server]:
    """A server of this kind, ended afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.TemporaryFile() as log:
        descriptor = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, __file__, "--serve", kind, "--fd", str(descriptor)],
            pass_fds=[descriptor],
            stdout=log,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        try:
            yield Server(kind, listener.getsockname()[1], process.pid)
        finally:
            process.terminate()
            process.wait(10)


async def compare(rounds: int, requests: int) -> dict[str, Any]:
    """Ask both in turn; the medians, and the overhead in percent."""
    with running("bare") as bare, running("middleware") as ours:
        await bare.connect()
        await ours.connect()
        for number in range(rounds):
            # The order changes, so that neither always follows the other.
            for server in (bare, ours) if number % 2 else (ours, bare):
                await server.measure(requests)
        cpu = bare.cpu_us(), ours.cpu_us()
    paired = [1 - own / other for own, other in zip(ours.rates, bare.rates, strict=True)]
    return {
        "bare_requests_per_second": round(median(bare.rates)),
        "middleware_requests_per_second": round(median(ours.rates)),
        "bare_cpu_us": round(cpu[0], 1),
        "middleware_cpu_us": round(cpu[1], 1),
        "overhead_percent": round(median(paired) * 100, 1),
        "limit_percent": LIMIT_PERCENT,
    }


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200, help="rounds of each server")
    parser.add_argument("--requests", type=int, default=320, help="requests a round")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--serve", choices=["bare", "middleware"], help=argparse.SUPPRESS)
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.fd)
        return 0
    found = asyncio.run(compare(given.rounds, given.requests))
    if given.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:32} {value:>10}")
    return int(found["overhead_percent"] > LIMIT_PERCENT)


if __name__ == "__main__":
    sys.exit(main())
