"""A declarative worker runtime for event consumers on NATS JetStream."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glam_worker.declare.context import EventContext
    from glam_worker.declare.outcomes import Reject, Retry, Snooze
    from glam_worker.declare.registry import lifespan, on
    from glam_worker.declare.retry import RetryPolicy
    from glam_worker.listener import Listener
    from glam_worker.settings import Settings
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

_PLACES = {
    "EventContext": "glam_worker.declare.context",
    "Listener": "glam_worker.listener",
    "Reject": "glam_worker.declare.outcomes",
    "Retry": "glam_worker.declare.outcomes",
    "RetryPolicy": "glam_worker.declare.retry",
    "Settings": "glam_worker.settings",
    "Snooze": "glam_worker.declare.outcomes",
    "Worker": "glam_worker.worker",
    "lifespan": "glam_worker.declare.registry",
    "on": "glam_worker.declare.registry",
}


def __getattr__(name: str) -> Any:
    """Each name is imported when it is first asked for: ``--help`` loads none, ``on`` no client."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
