"""A server's folder on disk, and the lock that keeps a second server out of it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from pathlib import Path

from glam_worker.errors import EmbeddedServerError

_LOCK = "nats-server.lock"
_LEAVES_WITHIN = 20.0


class StoreLock:
    """Held by whoever has ``fd`` open: this process, and the server that inherits it.

    So it is free again only when the server has ended too, also after a ``kill -9`` of this
    process. The file names the owner for the message a second run gets.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._path = store / _LOCK
        self.fd = -1

    def acquire(self) -> None:
        """Take the lock. Raises EmbeddedServerError, which names the owner, if it is held.

        A server whose owner is dead is about to end: its lock is waited for.
        """
        self.fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + _LEAVES_WITHIN
        while not self._locked():
            owner = self._owner()
            if _alive(owner.get("pid")) or time.monotonic() > deadline:
                self.release()
                raise EmbeddedServerError(self._held_by(owner))
            time.sleep(0.02)
        self.note(None)

    def note(self, url: str | None) -> None:
        """Write down who holds the lock, and where its server listens."""
        text = json.dumps({"pid": os.getpid(), "url": url}).encode()
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, text, 0)

    def release(self) -> None:
        """Let go; without effect when it is not held."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _locked(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _owner(self) -> dict[str, object]:
        with contextlib.suppress(OSError, ValueError):
            owner = json.loads(self._path.read_text())
            if isinstance(owner, dict):
                return owner
        return {}

    def _held_by(self, owner: dict[str, object]) -> str:
        who, url = owner.get("pid", "unknown"), owner.get("url")
        use = f"use its server (--servers {url})" if url else "wait for it"
        return (
            f"the store {self._store} is in use by the process {who}; {use}, stop that process, "
            "or start this one in another directory"
        )


def _alive(pid: object) -> bool:
    if not isinstance(pid, int):
        return True  # not written yet: somebody is just starting
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
