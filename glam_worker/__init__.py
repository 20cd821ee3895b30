"""A declarative worker runtime for event consumers on NATS JetStream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glam_worker.declare.context import EventContext
from glam_worker.declare.outcomes import Reject, Retry, Snooze
from glam_worker.declare.registry import lifespan, on
from glam_worker.declare.retry import RetryPolicy
from glam_worker.settings import Settings

if TYPE_CHECKING:
    from glam_worker.listener import Listener
    from glam_worker.worker import Worker

__all__ = [
    "EventContext",
    "Listener",
    "Reject",
    "Retry",
    "RetryPolicy",
    "Settings",
    "Snooze",
    "Worker",
    "lifespan",
    "on",
]


def __getattr__(name: str) -> Any:
    """What needs the NATS client is imported when it is first asked for."""
    if name == "Worker":
        from glam_worker.worker import Worker  # noqa: PLC0415

        return Worker
    if name == "Listener":
        from glam_worker.listener import Listener  # noqa: PLC0415

        return Listener
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
