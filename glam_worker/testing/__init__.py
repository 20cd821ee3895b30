"""Test handlers against a real NATS server, or as plain functions.

With the plugin (loaded by pytest when ``glam-worker[testing]`` is installed):

* ``worker``: runs handlers against a server of their own and tells what became of each event;
* ``nats_url``: an account of that server that nothing was ever stored in;
* ``nats_server``: the server itself, one for each pytest process.

Without pytest: ``event_context`` makes the ``EventContext`` to call a handler with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glam_worker.declare.registry import Registry
from glam_worker.testing.context import Emitted, RecordedContext, event_context
from glam_worker.testing.settled import Refusal, Settled, Stored

if TYPE_CHECKING:
    from glam_worker.testing.bench import Bench
    from glam_worker.testing.factory import WorkerFactory
    from glam_worker.testing.letters import Letter
    from glam_worker.testing.server import TenantServer
    from glam_worker.testing.waiting import NotSeenError

__all__ = [
    "Bench",
    "Emitted",
    "Letter",
    "NotSeenError",
    "RecordedContext",
    "Refusal",
    "Registry",
    "Settled",
    "Stored",
    "TenantServer",
    "WorkerFactory",
    "event_context",
]

_NEED_THE_CLIENT = {
    "Bench": "bench",
    "Letter": "letters",
    "NotSeenError": "waiting",
    "TenantServer": "server",
    "WorkerFactory": "factory",
}


def __getattr__(name: str) -> Any:
    """What needs the NATS client is imported when it is first asked for."""
    if name not in _NEED_THE_CLIENT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(f"{__name__}.{_NEED_THE_CLIENT[name]}"), name)
