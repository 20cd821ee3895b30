"""Places of workers: each has a network of its own, and is filled again when its worker is gone."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.proxy import Proxy
from tests.faults.rig import Rig
from tests.faults.worker_process import WorkerProcess


@dataclass(slots=True)
class Place:
    """One worker after the other."""

    rig: Rig
    name: str
    proxies: Sequence[Proxy]
    worker: WorkerProcess | None = None
    pids: list[int] = field(default_factory=list)
    was_ready: bool = False
    killed: set[int] = field(default_factory=set)
    codes: list[tuple[str, int | None]] = field(default_factory=list)
    """How each worker that was stopped ended: by which means, and its exit code."""

    def fill(self) -> None:
        """Start a worker."""
        self.worker = self.rig.worker(
            servers=[proxy.url for proxy in self.proxies],
            GLAM_STREAM_REPLICAS=3,
            FAULTS_ACK_WAIT=3,
        )
        self.pids.append(self.worker.pid)
        self.was_ready = False

    @property
    def present(self) -> WorkerProcess:
        """Its worker."""
        assert self.worker is not None
        return self.worker

    def kill(self) -> None:
        """SIGKILL, also while it stops in order."""
        if self.present.exit_code is None:
            self.killed.add(self.present.pid)
            self.present.kill()
            self.codes.append(("kill", self.present.exit_code))

    async def term(self) -> None:
        """SIGTERM, and the end in order."""
        worker = self.present
        code = await worker.term(40)
        if worker.pid not in self.killed:
            self.codes.append(("term", code))

    def freeze(self) -> None:
        """SIGSTOP."""
        self.present.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.present.signal(signal.SIGCONT)

    async def recovered(self) -> bool:
        """Whether its worker is ready; one that ended by itself is replaced, and told."""
        ended = self.present.exit_code
        if ended is not None:
            self.codes.append(("itself" if self.was_ready else "start", ended))
            self.fill()
            return False
        ready = not await self.present.not_ready()
        self.was_ready = self.was_ready or ready
        return ready
