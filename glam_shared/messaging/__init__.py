"""Events on NATS JetStream: subjects, payloads, the envelope, the client and the publisher.

The client library is loaded only when `JetStreamClient`, `Publisher` or `EventPublisher` is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from glam_shared.messaging import events as _events
from glam_shared.messaging.envelope import EventEnvelope
from glam_shared.messaging.events import *  # noqa: F403 - the same names, listed once
from glam_shared.messaging.subjects import Subjects

if TYPE_CHECKING:
    from glam_shared.messaging.client import JetStreamClient
    from glam_shared.messaging.publisher import EventPublisher, Publisher

__all__ = ["EventEnvelope", "EventPublisher", "JetStreamClient", "Publisher", "Subjects"]
__all__ += _events.__all__

_NEED_THE_CLIENT = {
    "EventPublisher": "glam_shared.messaging.publisher",
    "JetStreamClient": "glam_shared.messaging.client",
    "Publisher": "glam_shared.messaging.publisher",
}


def __getattr__(name: str) -> Any:
    if name not in _NEED_THE_CLIENT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_NEED_THE_CLIENT[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
