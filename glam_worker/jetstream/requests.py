"""The pull requests that are open: what they asked for, and what comes back of them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

EXPIRES = 30.0
"""Seconds a pull request stays open."""
HEARTBEAT = 5.0
"""Seconds between the server's signs of life on an open request."""

_FORGOTTEN = EXPIRES + 2 * HEARTBEAT
_PENDING_MESSAGES = "Nats-Pending-Messages"


@dataclass(frozen=True, slots=True)
class _Request:
    batch: int
    asked: float


class OpenRequests:
    """Names each request by a subject of its own below the inbox, so that its status names it.

    Messages carry no such name: the server serves open requests in turn. ``max_bytes`` is what one
    request may bring: more than any message has, or that message could never come.
    """

    def __init__(self, max_bytes: int) -> None:
        bounds = {
            "expires": int(EXPIRES * 1e9),
            "idle_heartbeat": int(HEARTBEAT * 1e9),
            "max_bytes": max_bytes,
        }
        self._bounds = json.dumps(bounds)[1:-1]
        self._open: dict[str, _Request] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._open)

    def new(self, inbox: str, batch: int) -> tuple[str, str]:
        """The reply subject and the body of a request for ``batch`` messages."""
        self._count += 1
        reply = f"{inbox}.{self._count}"
        self._open[reply] = _Request(batch, time.monotonic())
        return reply, f'{{"batch": {batch}, {self._bounds}}}'

    def ended(self, reply: str, headers: Mapping[str, str]) -> int:
        """How many messages of an ended request will not come."""
        request = self._open.pop(reply, None)
        pending = headers.get(_PENDING_MESSAGES, "")
        if pending.isdigit():
            return int(pending)
        if request is None or "batch completed" in headers.get("Description", "").lower():
            return 0
        return request.batch

    def forget(self, now: float) -> bool:
        """Forget requests that must have ended unheard; whether any was, and none is left."""
        late = False
        while self._open:
            oldest = next(iter(self._open))
            if now - self._open[oldest].asked <= _FORGOTTEN:
                return False
            del self._open[oldest]
            late = True
        return late

    def clear(self) -> None:
        """All of them are void."""
        self._open.clear()
