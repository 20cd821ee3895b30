"""A worker in a process of its own, as an operator runs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.cli.command import environment
from tests.cli.forked import Files, start
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
        address = ("--servers", servers, "--http-port", str(self.port))
        arguments = ("run", *modules, *flags, *address)
        files = Files(Path(os.devnull), self._out, self._err)
        self._process = start(arguments, folder, environment(env), files)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None until it has ended; of one that a signal ended, minus the signal."""
        return self._process.exitcode

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
        assert self.exit_code is None, self.errors or self._out.read_text()

    async def _ready_or_ended(self) -> bool:
        return self.exit_code is not None or not await self.not_ready()

    async def is_unready(self, words: str, within: float = 30.0) -> str:
        """The reason with these words, once it is given."""

        async def given() -> str:
            return next((reason for reason in await self.not_ready() if words in reason), "")

        reason: str = await until(given, f"a reason with {words!r}", within)
        return reason

    # --- what is done to it ---

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it with SIGKILL, and wait for the end."""
        self._process.kill()
        self._process.join()

    async def code(self, within: float = 30.0) -> int:
        """Its exit code, once it has ended."""
        await until(lambda: self.exit_code is not None, "the worker to end", within)
        assert self.exit_code is not None
        return self.exit_code

    async def term(self, within: float = 30.0) -> int:
        """Stop it in order; the exit code."""
        self.signal(signal.SIGTERM)
        return await self.code(within)

    def end(self) -> None:
        """Leave nothing behind."""
        self.signal(signal.SIGCONT)
        self.kill()
