"""A worker in a process of its own, as an operator runs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.cli.command import environment
from tests.faults import jobs
from tests.faults.ports import free_port
from tests.faults.waiting import until


class WorkerProcess:
    """``glam-worker run``: its process, its log and its endpoint."""

    def __init__(
        self,
        folder: Path,
        servers: str,
        env: Mapping[str, str],
        *flags: str,
        modules: tuple[str, ...] = (jobs.__name__,),
        out: Path | None = None,
    ) -> None:
        self.port = free_port()
        self._out = out or folder / f"{self.port}.out"
        self._err = folder / f"{self.port}.err"
        command = [sys.executable, "-m", "glam_worker", "run", *modules, *flags]
        command += ["--servers", servers, "--http-port", str(self.port)]
        with self._out.open("wb") as stdout, self._err.open("wb") as stderr:
            self.process = subprocess.Popen(
                command, cwd=folder, stdout=stdout, stderr=stderr, env=environment(env)
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    # --- what it says ---

    @property
    def errors(self) -> str:
        """What it wrote to stderr."""
        return self._err.read_text()

    def said(self, text: str) -> list[dict[str, Any]]:
        """The lines of its log whose message has the text."""
        lines = self._out.read_text().rpartition("\n")[0].splitlines()
        return [line for line in map(json.loads, lines) if text in line["message"]]

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body of its endpoint's answer; 0 where there is none within 2 s."""
        return await asyncio.to_thread(self._get, path)

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as got:
                return got.status, got.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except (OSError, HTTPException):
            return 0, ""

    async def not_ready(self) -> list[str]:
        """Why it is not ready; empty when it is."""
        status, body = await self.get("/readyz")
        return [] if status == 200 else json.loads(body)["reasons"] if body else ["no answer"]

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples that have the labels."""
        families = text_string_to_metric_families((await self.get("/metrics"))[1])
        samples = [sample for family in families for sample in family.samples]
        return sum(
            sample.value
            for sample in samples
            if sample.name == f"glam_worker_{name}" and labels.items() <= sample.labels.items()
        )

    def resident(self) -> int:
        """Bytes of memory it has in use."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    async def is_ready(self) -> None:
        """Return once it is ready."""
        await until(self._ready_or_ended, "the worker to be ready")
        assert self.process.poll() is None, self.errors or self._out.read_text()

    async def _ready_or_ended(self) -> bool:
        return self.process.poll() is not None or not await self.not_ready()

    async def is_unready(self, words: str, within: float = 30.0) -> str:
        """The reason with these words, once it is given."""

        async def given() -> str:
            return next((reason for reason in await self.not_ready() if words in reason), "")

        reason: str = await until(given, f"a reason with {words!r}", within)
        return reason

    # --- what is done to it ---

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it with SIGKILL, and wait for the end."""
        self.process.kill()
        self.process.wait()

    async def code(self, within: float = 30.0) -> int:
        """Its exit code, once it has ended."""
        await until(lambda: self.process.poll() is not None, "the worker to end", within)
        return int(self.process.returncode)

    async def term(self, within: float = 30.0) -> int:
        """Stop it in order; the exit code."""
        self.signal(signal.SIGTERM)
        return await self.code(within)

    def end(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGCONT)
            self.kill()
